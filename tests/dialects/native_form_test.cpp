// Forms: what a job type's schema becomes.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "api/native/form.hpp"
#include "catalog/json_document.hpp"
#include "dialects/api_host.hpp"
#include "dialects/response_check.hpp"

namespace jobhost::test {
namespace {

class Form {
 public:
  explicit Form(const std::string& schema, std::vector<std::string> positional = {}) {
    catalog::JobTypeInfo info;
    info.name = "t";
    info.params_schema_json = schema;
    info.positional = std::move(positional);
    api::JsonWriter json;
    api::native::writeForm(json, info);
    text_ = json.take();
    // Every form is what the document says a form is.
    EXPECT_EQ(
        ResponseCheck::ofAllDialects().faultOf({"GET", "/api/v1/job-types/t/form", 200, "application/json", text_}),
        "");
  }
  /// The value at a JSON Pointer, as text; "absent" where there is none.
  std::string at(const std::string& pointer) const {
    const auto document = catalog::JsonDocument::parse(text_);
    EXPECT_TRUE(document) << text_;
    auto value = std::optional(document->root());
    std::size_t begin = 1;
    while (value && begin <= pointer.size()) {
      const auto end = std::min(pointer.find('/', begin), pointer.size());
      const auto part = pointer.substr(begin, end - begin);
      begin = end + 1;
      if (value->is(catalog::JsonKind::Array)) {
        std::optional<catalog::JsonValue> found;
        std::size_t index = 0;
        value->elements([&](catalog::JsonValue one) {
          if (index++ == static_cast<std::size_t>(std::atoi(part.c_str()))) found = one;
        });
        value = found;
      } else {
        value = value->find(part);
      }
    }
    return value ? std::string(value->raw()) : "absent";
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

TEST(Forms, GoByThePositionalOrderAndThenTheSchemas) {
  const Form form(R"({"type":"object","required":["b"],"additionalProperties":false,
    "properties":{"a":{},"b":{"type":"string"},"c_long-name":{},"d":{"title":"Dee","description":"help"}}})",
                  {"d", "b"});
  EXPECT_EQ(form.at("/fields/0/name"), "\"d\"");
  EXPECT_EQ(form.at("/fields/1/name"), "\"b\"");
  EXPECT_EQ(form.at("/fields/2/name"), "\"a\"");
  EXPECT_EQ(form.at("/fields/0/position"), "0");
  EXPECT_EQ(form.at("/fields/2/position"), "null");
  EXPECT_EQ(form.at("/fields/1/required"), "true");
  EXPECT_EQ(form.at("/fields/0/required"), "false");
  EXPECT_EQ(form.at("/fields/0/label"), "\"Dee\"");
  EXPECT_EQ(form.at("/fields/0/help"), "\"help\"");
  EXPECT_EQ(form.at("/fields/3/label"), "\"C long name\"");
  EXPECT_EQ(form.at("/fields/3/pointer"), "\"/c_long-name\"");
  EXPECT_EQ(form.at("/more_params"), "false");
}

TEST(Forms, ChooseAWidgetByTypeAndFormat) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"type":"boolean"})", "checkbox"},
      {R"({"type":"integer","minimum":1,"maximum":9})", "number"},
      {R"({"type":["number","null"]})", "number"},
      {R"({"type":"string"})", "text"},
      {R"({"type":"string","maxLength":5000})", "textarea"},
      {R"({"type":"string","contentMediaType":"text/html"})", "textarea"},
      {R"({"type":"string","writeOnly":true})", "password"},
      {R"({"type":"string","format":"uri"})", "url"},
      {R"({"type":"string","format":"date-time"})", "datetime"},
      {R"({"type":"string","format":"date"})", "date"},
      {R"({"type":"string","format":"email"})", "email"},
      {R"({"type":"string","enum":["a","b"]})", "select"},
      {R"({"oneOf":[{"const":1,"title":"One"},{"const":2}]})", "select"},
      {R"({"type":"array","items":{"type":"string"}})", "list"},
      {R"({"type":"array","uniqueItems":true,"items":{"enum":["x","y"]}})", "multiselect"},
      {R"({"type":"array"})", "json"},
      {R"({"type":"object"})", "group"},
      {R"({"type":["string","object"]})", "json"},
      {R"({"type":"string","x-widget":"colour"})", "colour"},
      {R"({})", "json"},
      {R"(true)", "json"}};
  for (const auto& [schema, widget] : cases) {
    const Form form(R"({"properties":{"f":)" + std::string(schema) + "}}");
    EXPECT_EQ(form.at("/fields/0/widget"), "\"" + std::string(widget) + "\"") << schema;
  }
}

TEST(Forms, TellDefaultsLimitsAndChoices) {
  const Form form(R"({"properties":{
    "n":{"type":"integer","default":0,"minimum":-1,"exclusiveMaximum":10,"multipleOf":2},
    "s":{"type":"string","minLength":1,"maxLength":8,"pattern":"^a"},
    "e":{"enum":["fit",null,3]},
    "o":{"oneOf":[{"const":"a","title":"First"},{"const":"b"},{"type":"null"}]},
    "d":{"type":["string","null"],"default":null}}})");
  EXPECT_EQ(form.at("/fields/0/default"), "0");
  EXPECT_EQ(form.at("/fields/0/limits"), R"({"minimum":-1,"exclusive_maximum":10,"step":2})");
  EXPECT_EQ(form.at("/fields/1/limits"), R"({"min_length":1,"max_length":8,"pattern":"^a"})");
  EXPECT_EQ(form.at("/fields/1/has_default"), "false");
  EXPECT_EQ(form.at("/fields/2/choices"), R"([{"value":"fit","label":"fit"},{"value":3,"label":"3"}])");
  EXPECT_EQ(form.at("/fields/2/nullable"), "true");
  EXPECT_EQ(form.at("/fields/3/choices"), R"([{"value":"a","label":"First"},{"value":"b","label":"b"}])");
  EXPECT_EQ(form.at("/fields/3/type"), "\"string\"");
  EXPECT_EQ(form.at("/fields/3/nullable"), "true");
  EXPECT_EQ(form.at("/fields/4/has_default"), "true");
  EXPECT_EQ(form.at("/fields/4/default"), "null");
}

TEST(Forms, DescribeWhatIsInsideThroughReferences) {
  const Form form(R"({"$defs":{"size":{"type":"object","required":["w"],"properties":{"w":{"type":"integer"}}},
    "base":{"properties":{"x/y":{"type":"boolean"}},"required":["x/y"]}},
    "allOf":[{"$ref":"#/$defs/base"}],
    "properties":{"size":{"title":"Size","$ref":"#/$defs/size"},"list":{"type":"array","items":{"$ref":"#/$defs/size"},"maxItems":3},
    "either":{"anyOf":[{"type":"string"},{"type":"object","properties":{"k":{}}}]}}})");
  EXPECT_EQ(form.at("/fields/0/type"), "\"object\"");
  EXPECT_EQ(form.at("/fields/0/fields/0/pointer"), "\"/size/w\"");
  EXPECT_EQ(form.at("/fields/0/fields/0/required"), "true");
  EXPECT_EQ(form.at("/fields/1/item/type"), "\"object\"");
  EXPECT_EQ(form.at("/fields/1/item/fields/0/pointer"), "\"/list/-/w\"");
  EXPECT_EQ(form.at("/fields/2/variants/0/widget"), "\"text\"");
  EXPECT_EQ(form.at("/fields/2/variants/1/fields/0/name"), "\"k\"");
  EXPECT_EQ(form.at("/fields/3/pointer"), "\"/x~1y\"");
  EXPECT_EQ(form.at("/fields/3/required"), "true");
}

TEST(Forms, EndThoughSchemasDoNot) {
  const Form tree(
      R"({"$defs":{"node":{"type":"object","properties":{"l":{"$ref":"#/$defs/node"},"r":{"$ref":"#/$defs/node"}}}},
    "properties":{"root":{"$ref":"#/$defs/node"}}})");
  EXPECT_LT(tree.text().size(), 500'000U);
  EXPECT_NE(tree.text().find("\"widget\":\"json\""), std::string::npos) << "what is too deep is edited as JSON";
  const Form itself(R"({"$ref":"#","properties":{"a":{"$ref":"#/nowhere"}}})");
  EXPECT_EQ(itself.at("/fields/0/name"), "\"a\"");
  std::string many = R"({"properties":{)";
  for (int i = 0; i < 2000; ++i) many += (i == 0 ? "\"f" : ",\"f") + std::to_string(i) + "\":{}";
  const Form cut(many + "}}");
  EXPECT_EQ(cut.at("/fields/" + std::to_string(api::native::kFormFields)), "absent");
  EXPECT_EQ(cut.at("/truncated"), "true");
  EXPECT_EQ(itself.at("/truncated"), "false");
  EXPECT_EQ(Form("").at("/fields"), "[]");
}

TEST(Forms, KeepNoWidgetForWhatTheyDoNotDescribe) {
  for (const char* inner : {R"({"type":"array","uniqueItems":true,"items":{"enum":["x","y"]}})",
                            R"({"type":"array","items":{"type":"string"}})", R"({"type":"object"})"}) {
    std::string schema = inner, field = "/fields/0";
    for (int i = 0; i < api::native::kFormDepth; ++i) {
      schema = R"({"type":"object","properties":{"p":)" + schema + "}}";
      field += "/fields/0";
    }
    const Form form(R"({"properties":{"p":)" + schema + "}}");
    EXPECT_EQ(form.at(field + "/widget"), "\"json\"") << inner;
    EXPECT_EQ(form.at(field + "/item"), "absent");
    EXPECT_EQ(form.at("/truncated"), "false") << "what is edited as JSON is all there";
  }
}

TEST(Forms, AreServedForEachJobType) {
  ApiHost host;
  const auto form = host.call("GET", "/api/v1/job-types/resize/form");
  EXPECT_EQ(form.status, 200);
  EXPECT_NE(form.body.find(R"("name":"width","pointer":"/width","required":true,"position":0)"), std::string::npos)
      << form.body;
  EXPECT_EQ(host.call("GET", "/api/v1/job-types/nonesuch/form").status, 404);
}

}  // namespace
}  // namespace jobhost::test
