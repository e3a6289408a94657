#include "pool/job_log.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "core/json_text.hpp"

namespace jobhost::pool {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class JobLogTest : public testing::Test {
 protected:
  JobLogTest() {
    std::string pattern = (fs::temp_directory_path() / "jobhost-log-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~JobLogTest() override { fs::remove_all(root_); }
  [[nodiscard]] fs::path path() const { return root_ / "a" / "b" / "log"; }
  [[nodiscard]] std::vector<std::string> lines() const {
    std::ifstream file(path());
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
  }

  fs::path root_;
  const core::Instant at_ = core::fromMicros(1'795'341'600'123'000);
};

TEST_F(JobLogTest, WritesOneJsonObjectALine) {
  JobLog log(path(), {});
  EXPECT_FALSE(fs::exists(path())) << "the file comes with the first line";
  log.append(at_, "info", "say \"hi\"\nand\xFF more");
  log.finish();
  const auto all = lines();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_TRUE(core::isJson(all[0])) << all[0];
  EXPECT_THAT(all[0], HasSubstr(R"("level":"info","text":"say \"hi\"\nand)"));
  EXPECT_THAT(all[0], HasSubstr(isoTime(at_)));
}

TEST_F(JobLogTest, StopsAtItsLimitAndSaysSo) {
  JobLog log(path(), {20'000, 1'000'000, 1'000'000});
  for (int i = 0; i < 10'000; ++i) log.append(at_, "info", "a line of some length, number " + std::to_string(i));
  log.append(at_, "host", "why it ended");
  log.finish();
  EXPECT_THAT(lines(), testing::Contains(HasSubstr("lines dropped: the log is full")));
  EXPECT_LT(fs::file_size(path()), 24'000u);
  EXPECT_THAT(lines(), testing::Contains(HasSubstr("why it ended"))) << "there is room for the host's last words";
}

TEST_F(JobLogTest, DropsLinesOverTheRate) {
  JobLog log(path(), {1 << 20, 1, 10});
  for (int i = 0; i < 100; ++i) log.append(at_, "stdout", "line");
  const auto last = log.finish();
  ASSERT_TRUE(last);
  EXPECT_THAT(*last, HasSubstr("too many a second"));
  EXPECT_GE(log.dropped(), 85);
}

TEST_F(JobLogTest, GoesOnAfterTheLinesOfAnEarlierAttempt) {
  {
    JobLog log(path(), {});
    log.append(at_, "info", "first attempt");
    log.finish();
  }
  JobLog log(path(), {});
  log.append(at_, "info", "second attempt");
  log.finish();
  EXPECT_EQ(lines().size(), 2u);
}

TEST_F(JobLogTest, CutsALongLine) {
  JobLog log(path(), {});
  log.append(at_, "info", std::string(1 << 20, 'x'));
  log.finish();
  EXPECT_LT(fs::file_size(path()), JobLog::kMaxLineBytes + 1024);
}

TEST_F(JobLogTest, DoesNotFollowALink) {
  fs::create_directories(path().parent_path());
  fs::create_symlink(root_ / "elsewhere", path());
  JobLog log(path(), {});
  log.append(at_, "info", "text");
  log.finish();
  EXPECT_FALSE(fs::exists(root_ / "elsewhere"));
}

TEST(LogLevelName, NamesTheAbisLevels) {
  EXPECT_EQ(logLevelName(0), "trace");
  EXPECT_EQ(logLevelName(5), "fatal");
  EXPECT_EQ(logLevelName(-1), "info");
  EXPECT_EQ(logLevelName(99), "info");
}

TEST(IsoTime, HasMilliseconds) {
  EXPECT_EQ(isoTime(core::fromMicros(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(isoTime(core::fromMicros(1'000'123'456)), "1970-01-01T00:16:40.123Z");
}

}  // namespace
}  // namespace jobhost::pool
