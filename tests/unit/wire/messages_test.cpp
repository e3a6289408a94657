#include "wire/messages.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "wire/codec.hpp"
#include "wire/status_page.hpp"

namespace jobhost::wire {
namespace {

template <class Message>
std::string bytesOf(const Message& message) {
  std::string bytes;
  encode(bytes, message);
  return bytes;
}

/// Every cut of the payload is refused, and what comes after it is ignored.
template <class Message>
void expectCutsRefused(const Message& message) {
  const std::string bytes = bytesOf(message);
  Message read;
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode(std::string_view(bytes).substr(0, size), read)) << size;
  const std::string longer = bytes + "appended later";  // what is read may have views into it
  ASSERT_TRUE(decode(longer, read));
  EXPECT_EQ(bytesOf(read), bytes);
}

TEST(Messages, SurviveTheWayThereAndBack) {
  wire::Run run;
  run.job_id = 0x0102030405060708;
  run.priority = -5;
  run.params = R"({"a":1})";
  run.tags_json = R"(["x"])";
  run.inputs = {{"in.txt", "text/plain", 12}};
  run.owner = "usr_1";
  run.rescues = 3;
  std::string whole = bytesOf(run);
  const std::size_t with_owner = whole.size() - 4;
  const std::size_t plain = with_owner - 9;
  wire::Run older;
  ASSERT_TRUE(decode(std::string_view(whole).substr(0, plain), older)) << "from before the owner was told";
  EXPECT_EQ(older.owner, "");
  EXPECT_EQ(older.inputs.size(), 1U);
  ASSERT_TRUE(decode(std::string_view(whole).substr(0, with_owner), older)) << "from before rescues were told";
  EXPECT_EQ(older.owner, "usr_1");
  EXPECT_EQ(older.rescues, 0U);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    if (size == plain || size == with_owner) continue;
    EXPECT_FALSE(decode(std::string_view(whole).substr(0, size), older)) << size;
  }
  whole += "appended later";
  wire::Run with_more;
  ASSERT_TRUE(decode(whole, with_more));
  EXPECT_EQ(with_more.owner, "usr_1");
  EXPECT_EQ(with_more.rescues, 3U);
  Done done;
  done.status = DoneStatus::Failed;
  done.error_class = 6;
  done.error_code = "http.503";
  done.result_json = "null";
  done.outputs = {{"a/b", "image/png", 1'000'000'000'000}};
  expectCutsRefused(done);
  Welcome welcome;
  welcome.work_dir = "/work";
  welcome.limits = {{7, ~std::uint64_t{0}}};
  welcome.inspection = "{}";
  std::string bytes = bytesOf(welcome);
  Welcome earlier;
  ASSERT_TRUE(decode(std::string_view(bytes).substr(0, bytes.size() - 6), earlier))
      << "from before there were inspections";
  EXPECT_EQ(earlier.inspection, "");
  EXPECT_EQ(earlier.limits.size(), 1U);
  for (const std::size_t less : {1U, 2U, 3U, 5U, 7U})
    EXPECT_FALSE(decode(std::string_view(bytes).substr(0, bytes.size() - less), earlier)) << less;
  expectCutsRefused(Hello{});
  expectCutsRefused(Load{"/a", "/b", "{}"});
  Loaded loaded;
  loaded.types = {"noop", "echo"};
  expectCutsRefused(loaded);
  expectCutsRefused(LoadFailed{LoadStage::Init, "init_failed", "why", "more"});
  expectCutsRefused(SlotList{{1, 2, 3}});
  expectCutsRefused(Log{2, 3, "line"});
  expectCutsRefused(Progress{1, 2, "half"});
  expectCutsRefused(Note{"key", "1"});
  expectCutsRefused(Call{Method::ConfigGet, "body"});
  expectCutsRefused(Return{-5, "why", "body"});
  expectCutsRefused(Credit{5});
  expectCutsRefused(Started{7});
  expectCutsRefused(Cancel{CancelReason::Deadline});
  expectCutsRefused(Bye{"drained"});
}

TEST(Messages, CarryAFetchAndItsBodyToTheEnd) {
  HttpFetch fetch;
  std::string bytes;
  encode(bytes, HttpFetch{"{}", std::string_view("a\0b", 3)});
  ASSERT_TRUE(decode(bytes, fetch));
  EXPECT_EQ(fetch.request_json, "{}");
  EXPECT_EQ(fetch.body, std::string_view("a\0b", 3));
  EXPECT_FALSE(decode(bytes.substr(0, 5), fetch));
}

TEST(Messages, RefuseNumbersThatCannotBe) {
  const auto refused = [](auto message) {
    decltype(message) read;
    return !decode(bytesOf(message), read);
  };
  EXPECT_TRUE(refused(Progress{std::nan(""), 1, ""}));
  EXPECT_TRUE(refused(Progress{1, HUGE_VAL, ""}));
  EXPECT_TRUE(refused(Progress{-1, 1, ""}));
  EXPECT_TRUE(refused(Note{"", "1"}));
  EXPECT_TRUE(refused(Cancel{static_cast<CancelReason>(9)}));
  EXPECT_TRUE(refused(Return{5, "", ""}));
  Done done;
  done.status = static_cast<DoneStatus>(4);
  EXPECT_TRUE(refused(done));
  Hello hello;
  hello.magic = 1;
  EXPECT_TRUE(refused(hello));
}

TEST(Messages, DoNotReserveWhatAHostileCountSays) {
  std::string bytes;
  Encoder to(bytes);
  to.u32(100'000);  // slots that are not there
  SlotList list;
  EXPECT_FALSE(decode(bytes, list));
  EXPECT_TRUE(list.slots.empty());
}

TEST(StatusPage, FitsItsPageAndNamesItsCalls) {
  EXPECT_LE(sizeof(StatusPage), kStatusPageBytes);
  EXPECT_STREQ(toString(SdkCall::Progress), "progress");
  EXPECT_STREQ(toString(static_cast<SdkCall>(999)), "unknown");
}

}  // namespace
}  // namespace jobhost::wire
