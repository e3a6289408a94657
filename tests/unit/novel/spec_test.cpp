#include "fetch-novel/spec_set.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include "site.hpp"

namespace jobhost::novel {
namespace {

using testing::Test;

const std::string kBody =
    "toc: { request: {page: novel}, items: {css: a, fields: {url: {attr: href}}} }\nchapter: { body: {css: p} }\n";

struct Case {
  const char* name;
  const char* text;  ///< after "spec: 1" and base_url, which are lines 1 and 2
  const char* problem;
};

class BadSpecs : public testing::TestWithParam<Case> {};

TEST_P(BadSpecs, NameFileLineFieldAndReason) {
  EXPECT_EQ(problemsOf(GetParam().text + kBody), std::string("specs/a.test.yaml:") + GetParam().problem + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    All, BadSpecs,
    testing::Values(
        Case{"UnknownKey", "languge: en\n", "3: languge: there is no such key; did you mean 'language'?"},
        Case{"UnknownKeyInside", "novel:\n  titel: {css: h1}\n",
             "4: novel.titel: there is no such key; did you mean 'title'?"},
        Case{"TrailingUnderscore",
             "search: {css: a, request: {get: 'http://a.test/', paginate: {while_: has_items, while: has_items, url: "
             "x}}}\n",
             "3: search.request.paginate.while_: there is no such key; did you mean 'while'?"},
        Case{"BadSelector", "novel:\n  title:\n    css: 'h1['\n",
             "5: novel.title.css: expected a name at character 4 of 'h1['"},
        Case{"BadPattern", "novel: {title: {regex: '('}}\n",
             "3: novel.title.regex: the pattern is wrong at character 2: missing closing parenthesis"},
        Case{"WrongType", "rate_limit: fast\n", "3: rate_limit: must be a number, not a text"},
        Case{"OutOfRange", "chapters_per_volume: 0\n", "3: chapters_per_volume: must be from 1 to 1000000"},
        Case{"RateLimitOutOfRange", "rate_limit: -1\n", "3: rate_limit: must be from 0 to 3600"},
        Case{"CanLogin", "can_login: often\n", "3: can_login: must be true or false, not a text"},
        Case{"CanSearch", "can_search: often\n", "3: can_search: must be true or false, not a text"},
        Case{"HasManga", "has_manga: 1\n", "3: has_manga: must be true or false, not a number"},
        Case{"HasMtl", "has_mtl: 1\n", "3: has_mtl: must be true or false, not a number"},
        Case{"Parser", "parser: [lxml]\n", "3: parser: must be a text, not a list"},
        Case{"NotWhole", "chapters_per_volume: 1.5\n", "3: chapters_per_volume: must be a whole number"},
        Case{"BadEncoding", "encoding: klingon\n", "3: encoding: no encoding is called 'klingon'"},
        Case{"BadPlaceholder", "novel: {request: {get: '{orign}/x'}}\n",
             "3: novel.request.get: there is no placeholder {orign}"},
        Case{"PlaceholderOutOfPlace", "novel: {request: {get: '{origin}/{query}'}}\n",
             "3: novel.request.get: {query} has no meaning here"},
        Case{"UnknownVar", "novel: {request: {get: '{origin}/{vars.x}'}}\n", " vars: there is no var 'x' for {vars.x}"},
        Case{"VarsInCircle",
             "vars: {a: {on: {get: '{origin}/{vars.b}'}, css: a}, b: {on: {get: '{origin}/{vars.a}'}, css: b}}\n",
             " vars.b: the vars 'b' and 'a' need each other"},
        Case{"VarThatWantsTooMuch", "vars: {a: {on: {get: '{novel_url}'}, css: a}}\n",
             "3: vars.a.on.get: {novel_url} has no meaning here"},
        Case{"VarOfAStagePage", "vars: {a: {on: {page: novel}, css: a}}\n",
             "3: vars.a.on.page: a var may not read another stage's page"},
        Case{"TwoWays", "novel: {request: {get: 'http://a.test/', post: 'http://a.test/'}}\n",
             "3: novel.request: needs exactly one of get, post, page and from"},
        Case{"NoWay", "search: {css: a, request: {headers: {}}}\n",
             "3: search.request: needs exactly one of get, post, page and from"},
        Case{"PayloadOfGet", "novel: {request: {get: 'http://a.test/', payload: {a: b}}}\n",
             "3: novel.request.payload: goes with post, or with get and form"},
        Case{"LaterPage", "novel: {request: {page: toc}}\n",
             "3: novel.request: the page of 'toc' is not fetched before this one"},
        Case{"UnknownPage", "novel: {request: {page: info}}\n",
             "3: novel.request: there is no stage or request 'info'"},
        Case{"ConstAndCss", "novel: {title: {const: a, css: b}}\n",
             "3: novel.title: 'const' and 'header' go with no other source"},
        Case{"UnknownStep", "novel: {title: {css: a, pipe: [trimm]}}\n",
             "3: novel.title.pipe.trimm: there is no such step or pipe; did you mean 'trim'?"},
        Case{"StepWithoutArgument", "novel: {title: {css: a, pipe: [regex]}}\n",
             "3: novel.title.pipe.regex: needs a pattern"},
        Case{"StepWithArgument", "novel: {title: {css: a, pipe: [{trim: x}]}}\n",
             "3: novel.title.pipe.trim: takes no arguments"},
        Case{"NoSuchGroup", "novel: {title: {css: a, pipe: [{regex: {pattern: '(a)', group: 2}}]}}\n",
             "3: novel.title.pipe.regex: the pattern has no group 2"},
        Case{"MarkupStepOnText", "novel: {title: {json: a, pipe: [paragraphs]}}\n",
             "3: novel.title.pipe: a step that works on markup is given text; put parse_html before it"},
        Case{"TextStepOnMarkup", "novel: {title: {css: a, pipe: [{unwrap: b}, trim]}}\n",
             "3: novel.title.pipe: a step that works on text is given markup; put text, inner_html or paragraphs "
             "before it"},
        Case{"EndsWithMarkup", "novel: {title: {css: a, pipe: [{unwrap: b}]}}\n",
             "3: novel.title.pipe: ends with markup; add text, inner_html or paragraphs"},
        Case{"TwoEnds", "novel: {request: {paginate: {while: has_items, last: 3, url: x}}}\n",
             "3: novel.request.paginate: needs exactly one of while, last and next"},
        Case{"PagesWithoutUrl", "novel: {request: {paginate: {last: 3}}}\n",
             "3: novel.request.paginate: needs url with while and last"},
        Case{"UserAgent", "headers: {User-Agent: x}\n",
             "3: headers.User-Agent: belongs to the HTTP client and cannot be set by a spec"},
        Case{"UnknownHook", "hooks: {toc.x: y, novle.title: z}\n", "3: hooks.novle.title: there is no such hook point"},
        Case{"CanSearchWithout", "can_search: true\n",
             "3: can_search: is true but there is no search stage with a request"},
        Case{"WrongHost", "disabled: gone\nbase_url2: x\n",
             "4: base_url2: there is no such key; did you mean 'base_url'?"}),
    [](const auto& tested) { return std::string(tested.param.name); });

struct SettingCase {
  const char* name;
  const char* text;
  const char* settings;
};

class Settings : public testing::TestWithParam<SettingCase> {};

TEST_P(Settings, AreTheSpecsOrTheDefault) {
  const auto found = spec(GetParam().text + kBody);
  ASSERT_NE(found, nullptr);
  std::ostringstream out;
  out << found->rate_limit_s << " s, " << found->chapters_per_volume << " a volume"
      << (found->has_manga ? ", manga" : "") << (found->has_mtl ? ", mtl" : "") << (found->can_search ? ", search" : "")
      << "|" << found->language << "|" << found->encoding;
  EXPECT_EQ(out.str(), GetParam().settings);
}

constexpr const char* kSearch = "search: {request: {get: '{origin}/s'}, css: a, fields: {url: {attr: href}}}\n";
constexpr const char* kNoSearch =
    "can_search: false\nsearch: {request: {get: '{origin}/s'}, css: a, fields: {url: {attr: href}}}\n";

INSTANTIATE_TEST_SUITE_P(
    All, Settings,
    testing::Values(SettingCase{"Defaults", "", "3 s, 100 a volume||"},
                    SettingCase{"RateLimit", "rate_limit: 0.5\n", "0.5 s, 100 a volume||"},
                    SettingCase{"NoRateLimit", "rate_limit: 0\n", "0 s, 100 a volume||"},
                    SettingCase{"ChaptersPerVolume", "chapters_per_volume: 50\n", "3 s, 50 a volume||"},
                    SettingCase{"HasManga", "has_manga: true\n", "3 s, 100 a volume, manga||"},
                    SettingCase{"HasMtl", "has_mtl: true\n", "3 s, 100 a volume, mtl||"},
                    SettingCase{"Language", "language: fr\n", "3 s, 100 a volume|fr|"},
                    SettingCase{"Encoding", "encoding: gb2312\n", "3 s, 100 a volume||GBK"},
                    SettingCase{"SearchIsWhereItsStageIs", kSearch, "3 s, 100 a volume, search||"},
                    SettingCase{"SearchMayBeSwitchedOff", kNoSearch, "3 s, 100 a volume||"},
                    SettingCase{"NoSearchNeedsNoStage", "can_search: false\n", "3 s, 100 a volume||"},
                    // They are for others: known, and without effect here.
                    SettingCase{"Login", "can_login: true\n", "3 s, 100 a volume||"},
                    SettingCase{"NoLogin", "can_login: false\n", "3 s, 100 a volume||"},
                    SettingCase{"Parser", "parser: lxml\n", "3 s, 100 a volume||"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Spec, SaysWhatIsMissing) {
  EXPECT_EQ(
      problemsOf("language: en\n"),
      "specs/a.test.yaml:1: toc.items: is missing: nothing says where the chapters are\n"
      "specs/a.test.yaml:1: toc.request: is missing: nothing says which page lists the chapters ('page: novel'?)\n"
      "specs/a.test.yaml:1: chapter.body: is missing: nothing says where the text of a chapter is\n");
}

TEST(Spec, OtherVersionsAreRefused) {
  EXPECT_EQ(problemsOf("spec: 2\nbase_url: http://a.test/\nnew_key: 1\n"),
            "specs/a.test.yaml:1: spec: this host reads version 1 only\n");
  EXPECT_EQ(problemsOf("{\"base_url\": \"http://a.test/\"}"),
            "specs/a.test.yaml:1: spec: is missing; this host reads 'spec: 1'\n");
}

TEST(Spec, SyntaxErrorsNameTheLine) {
  EXPECT_EQ(problemsOf("novel:\n  title: {css: h1\n").substr(0, 20), "specs/a.test.yaml:5:");
  std::vector<SpecProblem> problems;
  loadSpec(oneFile("specs/a.test.json", "{\"spec\": 1,\n \"base_url\" }"), "specs/a.test.json", problems);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].text(), "specs/a.test.json:2: expected ':'");
}

TEST(Spec, JsonIsReadAsWell) {
  // The sample of the contract.
  const char* const sample = R"({"spec":1,"base_url":"https://novels.example.test/","language":"en","rate_limit":3,
 "vars":{"book":{"on":"novel","css":"#book[data-id]","attr":"data-id"}},
 "search":{"request":{"get":"{origin}/search?q={query|urlencode}"},"css":".result",
   "fields":{"title":{"css":"a"},"url":{"css":"a","attr":"href"}}},
 "novel":{"title":{"css":"h1"},"cover":{"css":".cover img","attr":["data-src","src"]},
   "authors":{"css":".by a","all":true},"tags":{"css":".genres a","all":true},"synopsis":{"css":".about"}},
 "toc":{"request":{"from":[{"page":"novel"},{"get":"{origin}/ajax/toc?id={vars.book}"}]},
   "items":{"css":"ol.toc li","fields":{"title":{"css":"a"},"url":{"css":"a","attr":"href"}}}},
 "chapter":{"body":{"css":"#text","pipe":[{"strip_css":[".ad"]},{"drop_leading":{"matches":"(?i)^\\s*chapter\\s+\\d+"}},"paragraphs"]}}})";
  std::vector<SpecProblem> problems;
  const auto found = loadSpec(oneFile("novels.example.test.json", sample), "novels.example.test.json", problems);
  ASSERT_NE(found, nullptr) << problems.front().text();
  EXPECT_EQ(found->host, "novels.example.test");
  EXPECT_TRUE(found->can_search);
}

// ---- extends

std::string resolved(const std::map<std::string, std::string>& files, const std::string& path) {
  std::vector<SpecProblem> problems;
  const auto found = loadSpec(TextFiles(files), path, problems);
  return found == nullptr ? problems.front().text() : toJson(found->resolved);
}

TEST(Extends, MergesAsTheContractSays) {
  const std::map<std::string, std::string> files{
      {"base/t.yaml",
       "spec: 1\nlanguage: en\nheaders: {x-a: '1', x-b: '2'}\nnovel: {title: {css: h1, fallback: [{css: h2}], pipe: "
       "[trim]}, cover: {css: img}}\n" +
           kBody},
      {"specs/a.test.yaml",
       "spec: 1\nextends: base/t.yaml\nbase_url: http://a.test/\nlanguage: fr\nheaders: {x-b: null, x-c: '3'}\n"
       "novel: {title: {fallback: [{css: h3}], pipe: [lower, trim]}, cover: null}\n"}};
  EXPECT_EQ(
      resolved(files, "specs/a.test.yaml"),
      R"({"spec":1,"language":"fr","headers":{"x-a":"1","x-c":"3"},"novel":{"title":{"css":"h1","fallback":[{"css":"h3"},{"css":"h2"}],"pipe":["lower","trim"]}},)"
      R"("toc":{"request":{"page":"novel"},"items":{"css":"a","fields":{"url":{"attr":"href"}}}},"chapter":{"body":{"css":"p"}},"extends":"base/t.yaml","base_url":"http://a.test/"})");
}

TEST(Extends, ErrorsOfAParentNameItsFile) {
  EXPECT_EQ(problemsOf("extends: base/t.yaml\nlanguage: fr\n",
                       {{"base/t.yaml", "spec: 1\nnovel:\n  title: {css: '['}\n" + kBody}}),
            "base/t.yaml:3: novel.title.css: expected a name at character 2 of '['\n");
}

TEST(Extends, RefusesCirclesChainsAndStrangers) {
  EXPECT_NE(problemsOf("extends: specs/a.test.yaml\n").find("'specs/a.test.yaml' extends itself"), std::string::npos);
  std::map<std::string, std::string> chain;
  for (int i = 0; i < 30; ++i)
    chain["base/" + std::to_string(i) + ".yaml"] = "spec: 1\nextends: base/" + std::to_string(i + 1) + ".yaml\n";
  EXPECT_NE(problemsOf("extends: base/0.yaml\n", chain).find("more than 16 files extend each other"),
            std::string::npos);
  EXPECT_NE(problemsOf("extends: ../x.yaml\n").find("must name a .yaml or .json file of this folder"),
            std::string::npos);
  EXPECT_NE(problemsOf("extends: disabled/x.yaml\n").find("may not name a disabled source"), std::string::npos);
  EXPECT_NE(problemsOf("extends: base/none.yaml\n").find("base/none.yaml: there is no such file"), std::string::npos);
}

TEST(Extends, TheVersionChangesWithAParent) {
  std::map<std::string, std::string> files{
      {"base/t.yaml", "spec: 1\n" + kBody},
      {"specs/a.test.yaml", "spec: 1\nextends: base/t.yaml\nbase_url: http://a.test/\n"}};
  std::vector<SpecProblem> problems;
  const std::string before = loadSpec(TextFiles(files), "specs/a.test.yaml", problems)->version;
  files["base/t.yaml"] += "language: en\n";
  EXPECT_NE(loadSpec(TextFiles(files), "specs/a.test.yaml", problems)->version, before);
}

// ---- what cannot run here

TEST(Spec, BrowsersAndHooksAreRefusedWithTheReason) {
  const auto refusal = [](const std::string& text) {
    std::vector<SpecProblem> problems;
    const auto found =
        loadSpec(oneFile("a.test.yaml", "spec: 1\nbase_url: http://a.test/\n" + text), "a.test.yaml", problems);
    return found == nullptr ? "problem " + problems.front().text() : found->refused + "|" + found->search_refused;
  };
  EXPECT_EQ(refusal("novel: {request: {render: true, wait_for: h1}}\n" + kBody),
            "needs a browser (novel.request.render)|");
  EXPECT_EQ(refusal("hooks: hooks/sites/a.test.py\n"), "needs a code hook (hooks/sites/a.test.py)|");
  EXPECT_EQ(refusal("hooks: {chapter.body: hooks/x.py}\n"), "needs a code hook (chapter.body)|");
  EXPECT_EQ(refusal("hooks: {login: hooks/x.py}\n" + kBody), "|");
  EXPECT_EQ(refusal("novel: {title: {css: a, pipe: [trim, {hook: hooks/x.py}]}}\n" + kBody),
            "needs a code hook (novel.title.pipe.hook)|");
  EXPECT_EQ(refusal("search: {request: {get: '{origin}/s', render: true}, css: a}\n" + kBody),
            "|needs a browser (search.request.render)");
  EXPECT_EQ(refusal("vars: {t: {on: {get: '{origin}/t', render: true}, css: a}}\n" + kBody),
            "needs a browser (vars.t.on.render)|");
  // One alternative without a browser is enough.
  EXPECT_EQ(refusal("novel: {request: {from: [{get: '{origin}/a', render: true}, {get: '{origin}/b'}]}}\n" + kBody),
            "|");
}

// ---- sets

TEST(SpecSet, ABrokenSpecCostsOnlyItself) {
  const SpecSet set = SpecSet::load(
      TextFiles({{"base/t.yaml", "spec: 1\n" + kBody},
                 {"specs/a.test.yaml", "spec: 1\nextends: base/t.yaml\nbase_url: https://www.a.test/\n"},
                 {"specs/b.test.yaml", "spec: 1\nextends: base/t.yaml\nbase_url: https://b.test/\nzzzzzz: 1\n"},
                 {"specs/c.test.yaml", "spec: 1\nextends: base/t.yaml\nbase_url: https://other.test/\n"},
                 {"disabled/d.test.yaml", "spec: 1\nbase_url: https://d.test/\ndisabled: the site is gone\n"},
                 {"notes.txt", "nothing"}}));
  ASSERT_NE(set.find("http://A.test:80/book/1"), nullptr);
  EXPECT_EQ(set.find("https://b.test/"), nullptr);
  ASSERT_NE(set.find("d.test"), nullptr);
  EXPECT_EQ(set.find("d.test")->disabled, "the site is gone");
  std::string problems;
  for (const SpecProblem& one : set.problems()) problems += one.text() + "\n";
  EXPECT_EQ(problems,
            "specs/b.test.yaml:4: zzzzzz: there is no such key\n"
            "specs/c.test.yaml: base_url: is of the host 'other.test', so the file must be called other.test.yaml (or "
            ".json)\n");
}

TEST(SpecSet, AHostIsKnownOnce) {
  const std::string text = "spec: 1\nbase_url: http://a.test/\n" + kBody;
  const SpecSet set =
      SpecSet::load(TextFiles(std::map<std::string, std::string>{{"a.test.yaml", text}, {"specs/a.test.yaml", text}}));
  ASSERT_EQ(set.problems().size(), 1u);
  EXPECT_NE(set.problems()[0].reason.find("is in a.test.yaml already"), std::string::npos);
}

TEST(SpecFolder, ReadsOnlyWhatIsInside) {
  const auto folder = std::filesystem::temp_directory_path() / ("jobhost-specs-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder / "in/specs");
  const auto write = [](const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text; };
  write(folder / "secret.yaml", "spec: 1\n");
  write(folder / "in/specs/a.test.yaml", "spec: 1\n");
  write(folder / "in/readme.md", "x");
  std::filesystem::create_symlink(folder / "secret.yaml", folder / "in/link.yaml");
  const SpecFolder files((folder / "in").string());
  EXPECT_EQ(files.list(), (std::vector<std::string>{"specs/a.test.yaml"}));
  EXPECT_EQ(files.read("specs/a.test.yaml"), "spec: 1\n");
  EXPECT_EQ(files.read("../secret.yaml"), std::nullopt);
  EXPECT_EQ(files.read("link.yaml"), std::nullopt);
  EXPECT_EQ(files.read("/etc/passwd"), std::nullopt);
  const std::string before = files.stamp();
  EXPECT_EQ(files.stamp(), before);
  write(folder / "in/b.test.json", "{}");
  EXPECT_NE(files.stamp(), before);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace jobhost::novel
