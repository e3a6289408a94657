#include <gtest/gtest.h>
#include <jobhost/plugin.hpp>

#include <cstddef>
#include <cstring>

extern "C" {
const void* c99_note(void);
uint32_t c99_error_size(void);
size_t c99_module_size(void);
}

namespace jobhost {
namespace {

TEST(Abi, IsTheSameInC) {
  EXPECT_EQ(c99_error_size(), sizeof(jh_error));
  EXPECT_EQ(c99_module_size(), sizeof(jh_module));
}

TEST(Abi, LaysTheNoteOutAsElfWants) {
  std::uint32_t header[3];
  std::memcpy(header, c99_note(), sizeof(header));
  EXPECT_EQ(header[0], 8U);
  EXPECT_EQ(header[1], sizeof("{\"manifest\": 1}"));
  EXPECT_EQ(header[2], JH_NOTE_TYPE);
  EXPECT_STREQ(static_cast<const char*>(c99_note()) + 12, "JobHost");
  EXPECT_STREQ(static_cast<const char*>(c99_note()) + 20, "{\"manifest\": 1}");
}

TEST(Abi, TellsWhetherAStructReachesToAMember) {
  jh_host host = JH_INIT(jh_host);
  EXPECT_FALSE(JH_HAS(&host, jh_host, log));
  host.log = [](jh_job*, std::int32_t, jh_str) noexcept {};
  EXPECT_TRUE(JH_HAS(&host, jh_host, log));
  host.struct_size = offsetof(jh_host, log);
  EXPECT_FALSE(JH_HAS(&host, jh_host, log));
}

TEST(Cancelled, IsNotSwallowedByACatchOfStdException) {
  bool passed = false;
  try {
    try {
      throw Cancelled{JH_CANCEL_USER};
    } catch (const std::exception&) {
      FAIL();
    }
  } catch (const Cancelled& cancelled) {
    passed = cancelled.reason == JH_CANCEL_USER;
  }
  EXPECT_TRUE(passed);
}

}  // namespace
}  // namespace jobhost
