// What the checker makes of valgrind's reports.
#include <gtest/gtest.h>

#include <filesystem>

#include "devtools/check.hpp"
#include "telemetry/log.hpp"

namespace jobhost::devtools {
namespace {

constexpr const char* kReport = R"(<?xml version="1.0"?>
<valgrindoutput>
<protocolversion>4</protocolversion>
<error>
  <unique>0x0</unique>
  <kind>InvalidWrite</kind>
  <what>Invalid write of size 4</what>
  <stack>
    <frame><ip>0x1</ip><obj>/p/a.so</obj><fn>put&lt;int&gt;</fn><dir>/src</dir><file>a.cpp</file><line>12</line></frame>
    <frame><ip>0x2</ip><obj>/p/a.so</obj></frame>
  </stack>
  <auxwhat>Address 0x3 is 0 bytes after a block of size 8 alloc'd</auxwhat>
  <stack><frame><ip>0x4</ip><obj>/p/other.so</obj></frame></stack>
</error>
<error>
  <kind>Leak_DefinitelyLost</kind>
  <xwhat><text>24 bytes in 1 blocks are definitely lost</text><leakedbytes>24</leakedbytes></xwhat>
  <stack><frame><ip>0x5</ip><obj>/usr/lib/vg.so</obj><fn>malloc</fn></frame></stack>
</error>
<error>
  <kind>InvalidRead</kind>
  <what>Invalid read)";

TEST(Memcheck, IsReadAsFarAsItIsWhole) {
  const auto errors = parseMemcheck(kReport);
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[0].kind, "InvalidWrite");
  EXPECT_EQ(errors[0].what, "Invalid write of size 4");
  ASSERT_EQ(errors[0].stack.size(), 2U) << "the stack of the error, not that of the block";
  EXPECT_EQ(errors[0].stack[0].object, "/p/a.so");
  EXPECT_EQ(errors[0].stack[0].function, "put<int>");
  EXPECT_EQ(errors[0].stack[0].place, "a.cpp:12");
  EXPECT_EQ(errors[0].stack[1].function, "");
  EXPECT_EQ(errors[1].what, "24 bytes in 1 blocks are definitely lost");
  EXPECT_EQ(errors[1].stack[0].function, "malloc");
}

TEST(Memcheck, OfNothingIsNothing) {
  EXPECT_TRUE(parseMemcheck("").empty());
  EXPECT_TRUE(parseMemcheck("<error></error><error>").empty());
}

TEST(MemoryRules, SayHowToGetValgrind) {
  telemetry::setLogLevel("off");
  const ScratchFolder empty;
  CheckOptions options;
  options.only = {"memory"};
  options.tool_folders = {empty.path()};
  options.lab.runner = std::filesystem::path(JOBHOST_BIN_DIR) / "jobhost-runner";
  const auto report = check(*readSubject(std::filesystem::path(ZOO_DIR) / "loses_memory.so"), options);
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->count(Verdict::Skipped), 2);
  EXPECT_EQ(report->results[0].finding.text, "valgrind is not installed; on Debian: apt-get install valgrind");
}

}  // namespace
}  // namespace jobhost::devtools
