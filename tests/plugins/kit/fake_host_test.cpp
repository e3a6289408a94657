// FakeHost, with the kit plugin linked in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <jobhost/testing.hpp>

namespace jobhost::testing {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FakeHostTest : public ::testing::Test {
 protected:
  FakeHostTest() {
    host_.setConfig({{"words", Json::array({"a", "b"})}});
    host_.setSecret("TOKEN", "s3cret");
    host_.addInputBytes("in.txt", "hello", "text/plain");
    host_.onChild([](const Child& child) { return ChildEnd::succeeded({{"n", child.params["n"]}}); });
  }
  FakeHost host_{&jobhost_plugin_entry_v1};
};

TEST_F(FakeHostTest, ServesEveryExtensionAndCollectsWhatWasSaid) {
  const Attempt done = host_.run("everything", {{"deep", Json::object()}});
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  EXPECT_EQ(done.result, (Json{{"files", "in.txt:5:hello;"},
                               {"size", 3},
                               {"ratio", 0.5},
                               {"words", "ab"},
                               {"secret", "s3cret"},
                               {"child", Json{{"n", 1}}},
                               {"ended_before", false},
                               {"checkpoint", "v1:done"},
                               {"attempt", 1},
                               {"type", "everything"}}));
  EXPECT_EQ(done.outputs, (std::map<std::string, std::string>{{"a/streamed.txt", "number 7\n"},
                                                              {"raw.bin", std::string("\0\xffx\n", 4)},
                                                              {"by-path.txt", "by path"}}));
  EXPECT_EQ(done.media_types.at("a/streamed.txt"), "text/plain");
  EXPECT_EQ(done.progress.size(), 3U);
  EXPECT_EQ(done.progress.back().done, 3);
  EXPECT_EQ(done.log.size(), 4U);
  EXPECT_EQ(done.notesObject(), (Json{{"size", 3}}));
  EXPECT_EQ(done.children.size(), 2U);
  EXPECT_TRUE(done.children[0].canceled);
  EXPECT_EQ(done.count("progress"), 3U);
  EXPECT_THAT(done.complaints, IsEmpty());
  EXPECT_EQ(host_.checkpoint(), "v1:done");
  EXPECT_EQ(host_.initLog(), "kit ready");
}

TEST_F(FakeHostTest, FillsTheDefaultsOfTheSchema) {
  EXPECT_EQ(host_.run("everything", {{"size", 5}}).result["size"].intOr(0), 5);
  EXPECT_EQ(host_.run("everything").result["ratio"].numberOr(0), 0.25) << "an absent object gets no defaults inside";
}

TEST_F(FakeHostTest, RunsASuspendedJobUntilItsChildrenHaveEnded) {
  const Attempt first = host_.run("fan", {{"n", 4}});
  EXPECT_EQ(first.code, JH_E_SUSPENDED);
  EXPECT_EQ(first.children.size(), 4U);
  EXPECT_FALSE(first.children[0].ended());
  const Attempt second = host_.runAgain();
  EXPECT_EQ(second.result, (Json{{"sum", 6}}));
  EXPECT_EQ(host_.runToEnd("fan", {{"n", 5}}).result, (Json{{"sum", 10}}));
  host_.onChild([](const Child& child) {
    return child.params["n"].intOr(0) == 1 ? ChildEnd::failed("x", "broke") : ChildEnd::succeeded();
  });
  EXPECT_EQ(host_.runToEnd("fan").error_message, "child failed: broke");
}

TEST_F(FakeHostTest, TellsThatAJobWantsToRunLater) {
  const Attempt first = host_.run("later");
  EXPECT_EQ(first.code, JH_E_SUSPENDED);
  EXPECT_TRUE(first.handedBack());
  EXPECT_EQ(first.retry_after_ms, 2000);
  EXPECT_EQ(first.error_message, "busy");
  EXPECT_THAT(first.complaints, IsEmpty());
  const Attempt second = host_.runAgain();
  EXPECT_EQ(second.result, (Json{{"attempt", 1}}));
  EXPECT_FALSE(second.handedBack());
  EXPECT_EQ(host_.run("later", {{"ms", -5}}).retry_after_ms, 0);
  EXPECT_FALSE(host_.run("fan").handedBack()) << "it waits for its children";
  EXPECT_TRUE(host_.runToEnd("later").succeeded());
}

TEST_F(FakeHostTest, MakesAChildOnceForADedupeKey) {
  EXPECT_EQ(host_.run("fan", {{"n", 2}}).children.size(), 2U);
  host_.failCall("checkpoint.save", 1, JH_E_IO);
  EXPECT_EQ(host_.run("fan", {{"n", 2}}).error_code, "io");
  const Attempt again = host_.runAgain();
  EXPECT_EQ(again.code, JH_E_SUSPENDED);
  EXPECT_EQ(again.children.size(), 2U);
}

TEST_F(FakeHostTest, TellsAJobThatWouldWaitForEver) {
  host_.onChild([](const Child&) { return ChildEnd::never(); });
  const Attempt stuck = host_.run("everything");
  EXPECT_FALSE(stuck.succeeded());
  EXPECT_THAT(stuck.complaints, Contains(HasSubstr("would wait for ever")));
  EXPECT_THROW((void)host_.runToEnd("fan"), std::logic_error);
}

TEST_F(FakeHostTest, KeepsACheckpointFromAttemptToAttempt) {
  host_.cancelAtCall(7);  // load, then save and progress in turn
  const Attempt stopped = host_.run("count", {{"to", 10}});
  EXPECT_EQ(stopped.code, JH_E_CANCELLED);
  EXPECT_EQ(host_.checkpoint(), "3");
  const Attempt done = host_.runAgain();
  EXPECT_EQ(done.result, (Json{{"from", 3}, {"to", 10}}));
  EXPECT_EQ(host_.run("count", {{"to", 2}}).result["from"].intOr(-1), 0) << "a new job has no checkpoint";
  host_.setCheckpoint("5");
  EXPECT_EQ(host_.run("count", {{"to", 6}}).result["from"].intOr(-1), 5);
}

TEST_F(FakeHostTest, CancelsAtAChosenPoint) {
  for (std::size_t n = 1; n <= 5; ++n) {
    host_.cancelAtCheck(n, JH_CANCEL_DEADLINE);
    const Attempt stopped = host_.run("count", {{"to", 5}});
    EXPECT_EQ(stopped.code, JH_E_CANCELLED) << n;
    EXPECT_EQ(stopped.cancel_checks, n);
    EXPECT_EQ(stopped.progress.size(), n - 1);
    EXPECT_THAT(stopped.complaints, IsEmpty());
  }
  EXPECT_TRUE(host_.run("count", {{"to", 5}}).succeeded()) << "a cancel is of one run";
  host_.cancel();
  EXPECT_EQ(host_.run("count", {{"to", 5}}).code, JH_E_CANCELLED) << "asked before it began";
}

TEST_F(FakeHostTest, WakesWhoWaitsForACancel) {
  host_.onNote([this](const std::string&) { host_.cancel(JH_CANCEL_SHUTDOWN); });
  const Attempt stopped = host_.run("watch");
  EXPECT_EQ(stopped.code, JH_E_CANCELLED) << stopped.error_message;
  EXPECT_THAT(stopped.complaints, IsEmpty());
}

TEST_F(FakeHostTest, MakesEachCallFailInTurn) {
  const Attempt whole = host_.run("everything");
  ASSERT_TRUE(whole.succeeded());
  int failed = 0;
  for (const Call& call : whole.calls) {
    if (!call.can_fail) continue;
    host_.failCall(call.number, JH_E_IO, "injected");
    const Attempt broken = host_.run("everything");
    if (call.name == "output.abort" || call.name == "input.close") continue;  // nothing can be done about these
    EXPECT_FALSE(broken.succeeded()) << call.name << " " << call.number;
    EXPECT_THAT(broken.outputs, IsEmpty());
    EXPECT_THAT(broken.complaints, IsEmpty()) << call.name;
    ++failed;
  }
  EXPECT_GT(failed, 20);
}

TEST_F(FakeHostTest, TurnsEveryWayToFailIntoAnError) {
  const Attempt error = host_.run("fail", {{"how", "error"}});
  EXPECT_EQ(error.error_class, JH_CLASS_TRANSIENT);
  EXPECT_EQ(error.error_code, "kit.later");
  EXPECT_EQ(error.error_details, (Json{{"a", 1}}));
  EXPECT_EQ(error.retry_after_ms, 250);
  EXPECT_THAT(error.outputs, IsEmpty()) << "dropped while the exception flew";
  EXPECT_EQ(error.count("output.abort"), 1U);
  EXPECT_EQ(host_.run("fail", {{"how", "std"}}).error_message, "a std::exception");
  EXPECT_EQ(host_.run("fail", {{"how", "memory"}}).error_class, JH_CLASS_RESOURCE);
  EXPECT_EQ(host_.run("fail", {{"how", "other"}}).error_class, JH_CLASS_INTERNAL);
  EXPECT_EQ(host_.run("fail", {{"how", "odd"}}).error_message, "/how: must be one of error, std, memory, other, late");
  host_.failCall("output.commit", 1, JH_E_LIMIT, "disk full");
  const Attempt late = host_.run("fail", {{"how", "late"}});
  EXPECT_EQ(late.error_message, "output half.txt: disk full") << "a destructor cannot throw, the end of run can";
}

TEST_F(FakeHostTest, KeepsTheRulesOfTheHost) {
  host_.setOutputLimits(10);
  EXPECT_EQ(host_.run("everything").error_code, "limit");
  host_.setOutputLimits(1 << 20);
  host_.withhold(JH_EXT_CHILDREN);
  const Attempt without = host_.run("everything");
  EXPECT_EQ(without.error_class, JH_CLASS_DENIED);
  EXPECT_EQ(without.error_message, "this host does not offer jobhost.children/1");
}

TEST_F(FakeHostTest, RefusesAWrongConfigurationByName) {
  host_.setConfig({{"wrods", 1}});
  EXPECT_EQ(host_.run("everything").error_message, "config/wrods: is not known (known: words)");
  host_.setConfig({{"words", Json::array({"a", 1})}});
  EXPECT_EQ(host_.run("everything").error_message, "config/words/1: must be a string");
}

TEST_F(FakeHostTest, ComplainsOfBrokenRules) {
  const Attempt clumsy = host_.run("clumsy");
  EXPECT_EQ(clumsy.code, JH_E_FAILED);
  EXPECT_THAT(clumsy.complaints,
              ElementsAre(HasSubstr("output.commit: the output is not open"), HasSubstr("progress: NaN"),
                          HasSubstr("open.txt was left open"), HasSubstr("JH_E_FAILED without set_error")));
}

TEST_F(FakeHostTest, SaysWhatIsWrongWithTheTest) {
  const auto messageOf = [](const auto& action) -> std::string {
    try {
      action();
    } catch (const std::exception& error) {
      return error.what();
    }
    return "nothing";
  };
  EXPECT_EQ(messageOf([&] { (void)host_.run("evrything"); }),
            "the plugin has no job type \"evrything\" (it has: everything, fan, count, fail, watch, clumsy, later)");
  EXPECT_THAT(messageOf([] { FakeHost other("/nowhere/at/all.so"); }), HasSubstr("/nowhere/at/all.so"));
  EXPECT_THAT(messageOf([] { FakeHost other("libc.so.6"); }), HasSubstr("cannot be loaded"));
  EXPECT_EQ(messageOf([] { FakeHost other([](const jh_host*) noexcept -> const jh_module* { return nullptr; }); }),
            "the plugin's entry refused this host");
  EXPECT_THAT(messageOf([&] { host_.addInputBytes("../x", ""); }), HasSubstr("'..'"));
}

TEST(FakeHost, LoadsAPluginFile) {
  FakeHost host(std::string(JOBHOST_TEST_PLUGIN_DIR) + "/kit.so");
  EXPECT_EQ(host.manifest()["id"].stringOr(""), "test.kit");
  EXPECT_EQ(host.run("count", {{"to", 3}}).result["to"].intOr(0), 3);
  host.deinit();
}

}  // namespace
}  // namespace jobhost::testing
