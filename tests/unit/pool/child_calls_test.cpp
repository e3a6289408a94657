// Which job types a plugin may make children of: those its manifest names, and those that provide what it asks for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <stop_token>
#include <thread>

#include "pool/calls.hpp"

namespace jobhost::pool {
namespace {

using testing::HasSubstr;

class Services final : public AttemptServices {
 public:
  void submitChild(const Caller&, std::string, Done<core::JobId> done) override { done(core::JobId{9}); }
  void childStates(const Caller&, std::vector<core::JobId>, Done<std::vector<ChildState>>) override {}
  void awaitChildren(const Caller&, std::vector<core::JobId>, bool, core::Millis,
                     Done<std::vector<ChildState>>) override {}
  void cancelChild(const Caller&, core::JobId, Done<void>) override {}
  void saveCheckpoint(const Caller&, std::string, Done<void>) override {}
  void loadCheckpoint(const Caller&, Done<std::optional<std::string>>) override {}
  void config(const Caller&, Done<std::string>) override {}
  void secret(const Caller&, std::string, Done<std::string>) override {}
  [[nodiscard]] std::vector<std::string> redactions(const std::string&) const override { return {}; }
  void refused(const Caller&, std::string_view, std::string_view subject) override { refused_.emplace_back(subject); }
  [[nodiscard]] std::vector<std::string> provides(std::string_view type) const override {
    if (type == "comicinfo") return {"other", "metadata"};
    return type == "tidy" ? std::vector<std::string>{"script"} : std::vector<std::string>{};
  }
  std::vector<std::string> refused_;
};

class ChildCalls : public testing::Test {
 protected:
  void asksFor(std::vector<std::string> children) {
    auto generation = std::make_shared<catalog::PluginGeneration>();
    generation->plugin_id = "com.example.lib";
    auto entry = std::make_shared<catalog::TypeEntry>();
    entry->generation = generation;
    entry->info.permissions.children = std::move(children);
    attempt.type = entry;
    attempt.assignment.job.id = {7};
    attempt.assignment.plugin = "com.example.lib";
  }
  CallAnswer submit(const std::string& type) {
    std::promise<CallAnswer> answer;
    loop.post([&] {
      handleCall(context, attempt, wire::Call{wire::Method::ChildSubmit, R"({"type":")" + type + R"("})"},
                 [&](const CallAnswer& made) { answer.set_value(made); });
    });
    return answer.get_future().get();
  }

  core::ManualClock clock;
  const RunnerPoolOptions pool_options;
  EventLoop loop;
  Warden warden{{std::filesystem::temp_directory_path(), false}, loop};
  FilesThread files;
  Services services;
  PoolContext context{pool_options, clock, loop, warden, files, &services, nullptr};
  Attempt attempt;
  std::jthread thread{[this](const std::stop_token& stop) { loop.run(stop, [] {}); }};  // last: stops first
};

TEST_F(ChildCalls, MayBeOfTypesTheManifestNames) {
  asksFor({"page"});
  EXPECT_EQ(submit("page").result, 0);
  const auto other = submit("comicinfo");
  EXPECT_NE(other.result, 0);
  EXPECT_THAT(other.error, HasSubstr("\"comicinfo\""));
  EXPECT_THAT(services.refused_, testing::ElementsAre("comicinfo"));
}

TEST_F(ChildCalls, MayBeOfTypesThatProvideWhatIsAskedFor) {
  asksFor({"page", "provides:metadata"});
  EXPECT_EQ(submit("comicinfo").result, 0);
  EXPECT_NE(submit("tidy").result, 0) << "it provides something else";
  EXPECT_NE(submit("metadata").result, 0) << "a type of the word's name";
}

TEST_F(ChildCalls, MayBeOfAnyTypeWithAStar) {
  asksFor({"*"});
  EXPECT_EQ(submit("anything").result, 0);
}

}  // namespace
}  // namespace jobhost::pool
