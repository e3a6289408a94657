#include "pool/crash_report.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <cstring>
#include <memory>

#include "core/json_text.hpp"

namespace jobhost::pool {
namespace {

using testing::HasSubstr;

/// A runner that did some calls, then died.
class CrashReport : public testing::Test {
 protected:
  void called(wire::SdkCall call, std::int32_t result, std::uint64_t at_us) {
    auto& crumb = page->crumbs[page->crumb_count % wire::StatusPage::kCrumbs];
    crumb.call =
        static_cast<std::uint64_t>(static_cast<std::uint32_t>(result)) << 32 | static_cast<std::uint64_t>(call);
    crumb.time_us = at_us;
    ++page->crumb_count;
  }
  void crashed(const std::string& text, std::uint64_t address) {
    std::memcpy(page->crash_text, text.data(), std::min(text.size(), sizeof page->crash_text));
    page->crash_text_bytes = static_cast<std::uint32_t>(text.size());
    page->crash_address = address;
    page->crash_state = 2;
  }
  [[nodiscard]] CrashContext context() const {
    return {"org.example.kit", "resize", page.get(), {"the last words"}, 1 << 30};
  }
  static ProcessEnd bySignal(int signal) { return {signal, 5 << 20, 1000}; }
  static ProcessEnd byExit(int code) { return {code << 8, 5 << 20, 1000}; }

  std::unique_ptr<wire::StatusPage> page = std::make_unique<wire::StatusPage>();
};

TEST_F(CrashReport, SaysSignalAddressFramesAndLastCalls) {
  called(wire::SdkCall::RunBegin, 0, 1000);
  called(wire::SdkCall::Progress, -2, 1500);
  crashed("#0 kit.so+0x12\n#1 kit.so+0x34\n", 0x10);
  const auto error = crashError(bySignal(SIGSEGV), context());
  EXPECT_EQ(error.code, "plugin_crashed");
  EXPECT_EQ(error.error_class, core::ErrorClass::Internal);
  EXPECT_THAT(error.message, HasSubstr("\"org.example.kit\" was ended by signal 11 (SIGSEGV) while it ran \"resize\""));
  EXPECT_THAT(error.message, HasSubstr("fault address 0x10"));
  ASSERT_TRUE(core::isJson(error.details_json)) << error.details_json;
  EXPECT_THAT(error.details_json, HasSubstr(R"("signal":11,"signal_name":"SIGSEGV")"));
  EXPECT_THAT(error.details_json, HasSubstr(R"("frames":["#0 kit.so+0x12","#1 kit.so+0x34"])"));
  EXPECT_THAT(error.details_json, HasSubstr(R"({"call":"progress","result":-2,"before_us":0})"));
  EXPECT_THAT(error.details_json, HasSubstr(R"({"call":"run begins","result":0,"before_us":500})"));
  EXPECT_THAT(error.details_json, HasSubstr(R"("printed":["the last words"])"));
  const auto lines = crashLines(error, context());
  EXPECT_THAT(lines, testing::Contains("  #0 kit.so+0x12"));
  EXPECT_THAT(lines, testing::Contains("  progress = -2, 0 us before the last"));
}

TEST_F(CrashReport, TellsAnExitFromACrash) {
  const auto error = crashError(byExit(3), context());
  EXPECT_EQ(error.code, "plugin_exited");
  EXPECT_THAT(error.message, HasSubstr("exit code 3"));
  EXPECT_EQ(processExit(byExit(3)).code, 3);
  EXPECT_FALSE(processExit(byExit(3)).signal);
}

TEST_F(CrashReport, GuessesWhoKilledIt) {
  EXPECT_THAT(crashError(bySignal(SIGKILL), context()).message, HasSubstr("perhaps the machine ran out of memory"));
}

TEST_F(CrashReport, KeepsTheLast64Calls) {
  for (std::uint64_t i = 0; i < 1000; ++i) called(wire::SdkCall::Log, static_cast<std::int32_t>(i), i);
  const auto error = crashError(bySignal(SIGABRT), context());
  EXPECT_THAT(error.details_json, HasSubstr("\"result\":999"));
  EXPECT_THAT(error.details_json, HasSubstr("\"result\":936"));
  EXPECT_THAT(error.details_json, testing::Not(HasSubstr("\"result\":935")));
}

TEST_F(CrashReport, DoesNotTrustThePage) {
  std::memset(static_cast<void*>(page.get()), 0xff, sizeof *page);
  const auto error = crashError(bySignal(SIGSEGV), context());
  EXPECT_TRUE(core::isJson(error.details_json));
  EXPECT_LT(error.details_json.size(), 64u * 1024);
  EXPECT_FALSE(crashLines(error, context()).empty());

  for (std::size_t i = 0; i < sizeof *page; ++i)
    reinterpret_cast<unsigned char*>(page.get())[i] = static_cast<unsigned char>(i * 37);
  EXPECT_TRUE(core::isJson(crashError(bySignal(SIGSEGV), context()).details_json));
}

TEST_F(CrashReport, WorksWithoutAPage) {
  auto none = context();
  none.page = nullptr;
  none.type.clear();
  const auto error = crashError(bySignal(SIGBUS), none);
  EXPECT_THAT(error.message, HasSubstr("signal 7 (SIGBUS)"));
  EXPECT_TRUE(core::isJson(error.details_json));
  EXPECT_EQ(crashLines(error, none).size(), 1u);
}

TEST(SignalName, OfKnownAndOtherSignals) {
  EXPECT_EQ(signalName(SIGSEGV), "SIGSEGV");
  EXPECT_EQ(signalName(SIGXCPU), "SIGXCPU");
  EXPECT_EQ(signalName(63), "signal 63");
}

}  // namespace
}  // namespace jobhost::pool
