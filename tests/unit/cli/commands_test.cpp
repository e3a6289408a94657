#include "cli/commands.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/exit_codes.hpp"

namespace jobhost::cli {
namespace {

struct Said {
  int status = 0;
  std::string error;
};

Said said(std::vector<std::string> words) {
  words.insert(words.begin(), "jobhost");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  testing::internal::CaptureStderr();
  const int status = run(static_cast<int>(argv.size()), argv.data(), {});
  return {status, testing::internal::GetCapturedStderr()};
}

TEST(Commands, AWordThatIsNoneIsNamedWithThoseThatAre) {
  const auto top = said({"sumbit", "echo"});
  EXPECT_EQ(top.status, kUsage);
  EXPECT_EQ(top.error.rfind("jobhost: unknown command \"sumbit\"; known: serve submit ", 0), 0U) << top.error;
  const auto below = said({"plugin", "show", "x"});
  EXPECT_EQ(below.status, kUsage);
  EXPECT_EQ(below.error.rfind("jobhost: unknown command \"show\"; known: ", 0), 0U) << below.error;
  EXPECT_NE(below.error.find(" why"), std::string::npos) << below.error;
}

TEST(Commands, WhatIsMissingIsNotCalledUnknown) {
  for (const auto& words : {std::vector<std::string>{}, {"plugin"}, {"submit"}, {"--nonsense"}}) {
    const auto missing = said(words);
    EXPECT_EQ(missing.status, kUsage);
    EXPECT_EQ(missing.error.find("unknown command"), std::string::npos) << missing.error;
  }
}

}  // namespace
}  // namespace jobhost::cli
