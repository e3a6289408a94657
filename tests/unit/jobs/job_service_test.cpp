#include "jobs/job_service.hpp"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "core/job_paths.hpp"
#include "jobs/draft_check.hpp"
#include "jobs/job_files.hpp"
#include "store/sqlite_store.hpp"

namespace jobhost::jobs {
namespace {

namespace fs = std::filesystem;
using core::ErrorCode;

struct JobServiceTest : ::testing::Test {
  JobServiceTest() {
    std::string pattern = (fs::temp_directory_path() / "jobhost-jobs-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    store = std::move(*store::SqliteStore::open({.path = (folder / "jobhost.db").string()}, clock));
    catalog::JobTypeInfo info;
    info.name = "resize";
    info.plugin_id = "test.images";
    info.positional = {"source", "width", "strip"};
    info.retry.max_attempts = 4;
    info.params_schema_json = R"({"type":"object","required":["source"],"additionalProperties":false,"properties":{
      "source":{"type":"string"},"width":{"type":"integer","minimum":1,"default":200},"strip":{"type":"boolean"}}})";
    catalog.addTypeForTest(info);
    service.emplace(*store, catalog, clock, JobService::Options{{}, folder});
  }
  ~JobServiceTest() override {
    service.reset();
    store.reset();
    fs::remove_all(folder);
  }
  static JobRequest request(const std::string& params = R"({"source":"a.png"})") {
    JobRequest made;
    made.draft.type = "resize";
    made.draft.params_json = params;
    return made;
  }
  core::Error refusal(JobRequest wrong) {
    auto answer = service->submit(std::move(wrong));
    EXPECT_FALSE(answer.ok());
    return answer ? core::Error{} : answer.error();
  }

  core::ManualClock clock;
  fs::path folder;
  std::unique_ptr<store::SqliteStore> store;
  catalog::Catalog catalog;
  std::optional<JobService> service;
};

TEST_F(JobServiceTest, StoresAJobWithItsTypesDefaults) {
  const auto made = service->submit(request());
  ASSERT_TRUE(made.ok());
  const auto job = service->get(made->id);
  ASSERT_TRUE(job.ok());
  EXPECT_EQ(job->max_attempts, 4);
  EXPECT_NE(job->params_json.find("200"), std::string::npos);
}

TEST_F(JobServiceTest, NamesEveryWrongField) {
  auto wrong = request(R"({"width":0,"color":"red"})");
  wrong.draft.priority = 2'000'000;
  wrong.draft.tags = {"ok", std::string(100, 'x')};
  wrong.max_attempts = 0;
  const auto error = refusal(std::move(wrong));
  EXPECT_EQ(error.code, ErrorCode::InvalidArgument);
  std::set<std::string> pointers;
  for (const auto& field : error.fields) pointers.insert(field.pointer);
  for (const char* expected : {"/params/width", "/priority", "/tags/1", "/max_attempts"}) {
    EXPECT_TRUE(pointers.contains(expected)) << expected;
  }
}

TEST_F(JobServiceTest, MapsArgumentsToNames) {
  auto args = request();
  args.args_json = R"(["b.png",null,true])";
  const auto made = service->submit(std::move(args));
  ASSERT_TRUE(made.ok());
  const auto params = service->get(made->id)->params_json;
  EXPECT_NE(params.find(R"("source":"b.png")"), std::string::npos);
  EXPECT_NE(params.find(R"("strip":true)"), std::string::npos);
}

TEST_F(JobServiceTest, RefusesMoreArgumentsThanTheTypeTakes) {
  auto args = request();
  args.args_json = "[1,2,3,4]";
  const auto error = refusal(std::move(args));
  ASSERT_EQ(error.fields.size(), 1U);
  EXPECT_EQ(error.fields[0].pointer, "/args");
}

TEST(ParamsFromArgs, KeepsValuesAsTheyWereSpelt) {
  const std::vector<std::string> names{"a", "b"};
  EXPECT_EQ(*paramsFromArgs(" [ 1.50 , {\"x\" : [1]} ] ", names, 1000), R"({"a":1.50,"b":{"x" : [1]}})");
  EXPECT_EQ(*paramsFromArgs("null", names, 1000), "{}");
  EXPECT_EQ(*paramsFromArgs("[null,null]", names, 1000), "{}");
  for (const char* wrong : {"", "{}", "5", "[1", "[1,]", "\"x\""}) {
    EXPECT_EQ(paramsFromArgs(wrong, names, 1000).error().code, ErrorCode::InvalidArgument) << wrong;
  }
  EXPECT_EQ(paramsFromArgs("[1,2,3,4,5]", names, 4).error().code, ErrorCode::TooLarge);
}

TEST_F(JobServiceTest, KnowsNoOtherTypes) {
  auto unknown = request();
  unknown.draft.type = "nothing";
  EXPECT_EQ(refusal(std::move(unknown)).code, ErrorCode::NotFound);
}

TEST_F(JobServiceTest, RefusesParamsThatAreTooLong) {
  EXPECT_EQ(refusal(request("{\"source\":\"" + std::string(2 << 20, 'x') + "\"}")).code, ErrorCode::TooLarge);
}

TEST_F(JobServiceTest, StoresAllOfSeveralOrNone) {
  std::vector<JobRequest> mixed{request(), request(R"({"source":1})"), request()};
  const auto refused = service->submitMany(mixed);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().fields.at(0).pointer, "/1/params/source");
  EXPECT_TRUE(service->list({}, {})->jobs.empty());
  mixed.erase(mixed.begin() + 1);
  EXPECT_EQ(service->submitMany(mixed)->size(), 2U);
}

TEST_F(JobServiceTest, AnUploadMustExist) {
  auto with_input = request();
  with_input.draft.input_id = "../../etc";
  EXPECT_EQ(refusal(with_input).fields.at(0).pointer, "/input_id");
  with_input.draft.input_id = "abc";
  EXPECT_EQ(refusal(with_input).fields.at(0).message, "no such upload");
  fs::create_directories(core::inputFolder(folder, "abc"));
  EXPECT_TRUE(service->submit(with_input).ok());
}

TEST_F(JobServiceTest, ReadsAPartOfTheLog) {
  const auto id = service->submit(request())->id;
  EXPECT_EQ(service->log(id, 0, 100)->bytes, "");
  EXPECT_EQ(service->log({99}, 0, 100).error().code, ErrorCode::NotFound);
  const auto log = core::jobPaths(folder, id).log;
  fs::create_directories(log.parent_path());
  std::ofstream(log) << "one\ntwo\n";
  const auto part = service->log(id, 4, 3);
  EXPECT_EQ(part->bytes, "two");
  EXPECT_EQ(part->size, 8);
  EXPECT_EQ(service->log(id, 500, 10)->bytes, "");
  EXPECT_EQ(service->log(id, -1, 10).error().code, ErrorCode::InvalidArgument);
}

TEST_F(JobServiceTest, GivesOutOnlyFilesBeneathTheFolder) {
  const auto out = folder / "out";
  fs::create_directories(out / "pages");
  std::ofstream(out / "pages" / "1.png") << "x";
  std::ofstream(folder / "secret") << "x";
  fs::create_symlink(folder / "secret", out / "link");
  fs::create_directory_symlink(folder, out / "up");
  EXPECT_TRUE(checkBeneath(out, "pages/1.png").ok());
  for (const char* wrong : {"", ".", "..", "../secret", "pages", "pages/", "/pages/1.png", "pages//1.png", "link",
                            "up/secret", "pages/../../secret", "missing"}) {
    EXPECT_FALSE(checkBeneath(out, wrong).ok()) << wrong;
  }
}

TEST_F(JobServiceTest, ChecksPagesTagsAndPriorities) {
  const auto id = service->submit(request())->id;
  EXPECT_EQ(service->list({}, {.limit = 0}).error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(service->list({}, {.limit = 1001}).error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(service->change(id, 1'000'001, std::nullopt).error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(service->change(id, std::nullopt, {{""}}).error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(service->change(id, 5, {{"a\nb"}}).error().code, ErrorCode::InvalidArgument);
  EXPECT_TRUE(service->change(id, std::nullopt, {{"night", "größe"}}).ok());
}

TEST_F(JobServiceTest, RemovesAnEndedJobWithItsFiles) {
  const auto id = service->submit(request())->id;
  const auto paths = core::jobPaths(folder, id);
  fs::create_directories(paths.output);
  ASSERT_TRUE(service->cancel(id, "no").ok());
  ASSERT_TRUE(service->remove(id).ok());
  EXPECT_FALSE(fs::exists(paths.folder));
  EXPECT_EQ(service->get(id).error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace jobhost::jobs
