#include "catalog/catalog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace jobhost::catalog {
namespace {

JobTypeInfo typeNamed(const std::string& name, const std::string& schema = "{}") {
  JobTypeInfo info;
  info.name = name;
  info.params_schema_json = schema;
  return info;
}

TEST(Catalog, FindsTypesByNameAndNothingElse) {
  Catalog catalog;
  catalog.addTypeForTest(typeNamed("pdf"));
  ASSERT_NE(catalog.findType("pdf"), nullptr);
  EXPECT_EQ(catalog.findType("pdf")->generation->plugin_id, "test.pdf");
  EXPECT_EQ(catalog.findType("pd"), nullptr);
}

TEST(Catalog, AnswersNotFoundForParamsOfAnUnknownType) {
  const Catalog catalog;
  EXPECT_EQ(catalog.validateParams("nope", "{}").error().code, core::ErrorCode::NotFound);
}

TEST(Catalog, ChecksParamsWithTheSchemaOfTheType) {
  Catalog catalog;
  catalog.addTypeForTest(typeNamed("pdf", R"({"properties":{"pages":{"type":"integer","default":1}}})"));
  EXPECT_EQ(*catalog.validateParams("pdf", "{}"), R"({"pages":1})");
  EXPECT_EQ(catalog.findType("pdf")->info.defaults_json, R"({"pages":1})");
  EXPECT_EQ(catalog.validateParams("pdf", R"({"pages":"x"})").error().fields.at(0).pointer, "/pages");
}

TEST(Catalog, TellsListenersOfEachChangeUntilTheyLeave) {
  Catalog catalog;
  std::vector<std::uint64_t> heard;
  const int id = catalog.addListener([&](const auto& snapshot) { heard.push_back(snapshot->revision); });
  catalog.addTypeForTest(typeNamed("a"));
  catalog.addTypeForTest(typeNamed("b"));
  catalog.removeListener(id);
  catalog.addTypeForTest(typeNamed("c"));
  EXPECT_THAT(heard, testing::ElementsAre(1u, 2u));
  EXPECT_EQ(catalog.types().size(), 3u);
}

TEST(Catalog, KeepsASnapshotWhileItIsRead) {
  Catalog catalog;
  catalog.addTypeForTest(typeNamed("a"));
  const auto type = catalog.findType("a");
  std::jthread writer([&] {
    for (int i = 0; i < 200; ++i) catalog.addTypeForTest(typeNamed("b" + std::to_string(i)));
  });
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(catalog.validateParams("a", R"({"x":1})").ok());
  writer.join();
  EXPECT_EQ(type->info.name, "a");
}

}  // namespace
}  // namespace jobhost::catalog
