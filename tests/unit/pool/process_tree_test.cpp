#include "pool/process_tree.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <string>

namespace jobhost::pool {
namespace {

std::string stat(const std::string& name, char state = 'S') {
  return "4711 (" + name + ") " + state +
         " 17 4711 4700 0 -1 4194560 100 0 0 0 30 12 0 0 20 0 1 0 98765 1000000 250 18446744073709551615 0 0 0 0 0\n";
}

TEST(ParseStat, ReadsWhatThePoolUses) {
  const auto info = parseStat(stat("plugin"));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->pid, 4711);
  EXPECT_EQ(info->parent, 17);
  EXPECT_EQ(info->session, 4700);
  EXPECT_EQ(info->state, 'S');
  EXPECT_EQ(info->cpu_ticks, 42u);
  EXPECT_EQ(info->start_ticks, 98765u);
  EXPECT_EQ(info->rss_bytes, 250 * ::sysconf(_SC_PAGESIZE));
}

TEST(ParseStat, IsNotFooledByTheProgramsName) {
  for (const char* name : {"a b", "a) S 1 1 1", "((", "))", "", "x) Z 99 99 99 0 0"}) {
    const auto info = parseStat(stat(name, 'R'));
    ASSERT_TRUE(info) << name;
    EXPECT_EQ(info->parent, 17) << name;
    EXPECT_EQ(info->state, 'R') << name;
  }
}

TEST(ParseStat, RefusesWhatIsCutOrDamaged) {
  for (const std::string bad : {"", "4711", "4711 (x", "4711 (x) S", "(x) S 1 2 3", ") 1 (", "x (y) S 1"})
    EXPECT_FALSE(parseStat(bad)) << bad;
  const auto whole = stat("plugin");
  for (std::size_t cut = 0; cut < whole.size() / 2; ++cut) EXPECT_FALSE(parseStat(whole.substr(0, cut))) << cut;
}

TEST(Descendants, AreAllBelowAndNotBeside) {
  const auto process = [](pid_t pid, pid_t parent) {
    ProcessInfo info;
    info.pid = pid;
    info.parent = parent;
    return info;
  };
  const std::vector<ProcessInfo> all{process(1, 0), process(2, 1), process(3, 2), process(4, 3), process(5, 1)};
  std::vector<pid_t> below;
  for (const auto& info : descendants(all, 2)) below.push_back(info.pid);
  EXPECT_THAT(below, testing::UnorderedElementsAre(3, 4));
  EXPECT_TRUE(descendants(all, 99).empty());
}

TEST(Descendants, EndEvenWhenTheListGoesInACircle) {
  ProcessInfo a;
  a.pid = 2;
  a.parent = 3;
  ProcessInfo b;
  b.pid = 3;
  b.parent = 2;
  EXPECT_LE(descendants({a, b}, 2).size(), 4u);
}

TEST(ProcessInfo, OfThisProcess) {
  const auto info = processInfo(::getpid());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->parent, ::getppid());
  EXPECT_GT(info->start_ticks, 0u);
  EXPECT_GT(residentBytes(::getpid()), 0);
  EXPECT_FALSE(processInfo(0x3fffffff));
}

}  // namespace
}  // namespace jobhost::pool
