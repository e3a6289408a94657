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

// Frozen at 1.0 on 64-bit platforms: a failure here is a broken ABI, not a test to update.
TEST(Abi, KeepsTheOffsetsOfVersionOne) {
  static_assert(sizeof(void*) == 8);
  EXPECT_EQ(offsetof(jh_error, retry_after_ms), 8U);
  EXPECT_EQ(offsetof(jh_error, code), 16U);
  EXPECT_EQ(offsetof(jh_error, message), 32U);
  EXPECT_EQ(offsetof(jh_error, details_json), 48U);
  EXPECT_EQ(offsetof(jh_host, params), 16U);
  EXPECT_EQ(offsetof(jh_host, info), 24U);
  EXPECT_EQ(offsetof(jh_host, cancelled), 32U);
  EXPECT_EQ(offsetof(jh_host, log), 40U);
  EXPECT_EQ(offsetof(jh_host, progress), 48U);
  EXPECT_EQ(offsetof(jh_host, note), 56U);
  EXPECT_EQ(offsetof(jh_host, set_result), 64U);
  EXPECT_EQ(offsetof(jh_host, set_error), 72U);
  EXPECT_EQ(offsetof(jh_host, last_error), 80U);
  EXPECT_EQ(offsetof(jh_host, get_extension), 88U);
  EXPECT_EQ(offsetof(jh_job_type, name), 8U);
  EXPECT_EQ(offsetof(jh_job_type, run), 16U);
  EXPECT_EQ(offsetof(jh_module, manifest), 16U);
  EXPECT_EQ(offsetof(jh_module, init), 24U);
  EXPECT_EQ(offsetof(jh_module, job_type), 40U);
  EXPECT_EQ(offsetof(jh_module, get_extension), 48U);
  EXPECT_EQ(offsetof(jh_output_v1, reserve), 56U);
  EXPECT_EQ(offsetof(jh_input_v1, close), 48U);
  EXPECT_EQ(offsetof(jh_children_v1, cancel), 32U);
  EXPECT_EQ(offsetof(jh_checkpoint_v1, load), 16U);
}

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
