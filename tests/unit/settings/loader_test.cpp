#include "settings/loader.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace jobhost::settings {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class SettingsLoader : public testing::Test {
 protected:
  SettingsLoader() {
    std::string pattern = (std::filesystem::temp_directory_path() / "jobhost-settings-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SettingsLoader() override { std::filesystem::remove_all(folder_); }

  void file(const std::string& text) {
    sources_.file = folder_ / "jobhost.toml";
    std::ofstream(*sources_.file) << text;
  }
  void variable(const std::string& name, const std::string& value) { sources_.environment[name] = value; }
  void set(const std::string& text) { sources_.options.push_back(*parseSet(text)); }
  Loaded loaded() {
    auto result = load(sources_);
    EXPECT_TRUE(result.ok()) << (result ? "" : result.error().message);
    return result ? *std::move(result) : Loaded{};
  }
  std::string refusal() {
    const auto result = load(sources_);
    EXPECT_FALSE(result.ok());
    return result ? "" : result.error().message;
  }

  std::filesystem::path folder_;
  Sources sources_;
};

TEST_F(SettingsLoader, WithoutSourcesGivesTheDefaults) {
  const auto all = loaded();
  EXPECT_EQ(all.settings.server.port, 8080);
  EXPECT_THAT(all.effective, Contains(Effective{"server.port", "8080", "default"}));
}

TEST_F(SettingsLoader, ShowsNoPasswordOfAUrl) {
  set("http.proxy=http://me:pass@word@proxy.example:3128/a@b");
  const auto all = loaded();
  EXPECT_EQ(all.settings.http.proxy, "http://me:pass@word@proxy.example:3128/a@b");
  EXPECT_THAT(all.effective, Contains(Effective{"http.proxy", "\"http://***@proxy.example:3128/a@b\"", "--set"}));
}

TEST_F(SettingsLoader, LetsTheEnvironmentWinOverTheFileAndOptionsOverBoth) {
  file("[server]\nport = 1001\nmax_threads = 9\nbind = \"0.0.0.0\"\n");
  variable("JOBHOST_SERVER_PORT", "1002");
  variable("JOBHOST_SERVER_MAX_THREADS", "10");
  set("server.port=1003");
  const auto all = loaded();
  EXPECT_EQ(all.settings.server.port, 1003);
  EXPECT_EQ(all.settings.server.max_threads, 10);
  EXPECT_EQ(all.settings.server.bind, "0.0.0.0");
  EXPECT_THAT(all.effective, Contains(Effective{"server.port", "1003", "--set"}));
  EXPECT_THAT(all.effective, Contains(Effective{"server.max_threads", "10", "JOBHOST_SERVER_MAX_THREADS"}));
  EXPECT_THAT(all.effective,
              Contains(Effective{"server.bind", "\"0.0.0.0\"", (folder_ / "jobhost.toml").string() + ":4"}));
}

TEST_F(SettingsLoader, MakesTheFoldersOfContentAbsolute) {
  set("content.dir=library/../archives");
  set("content.roots=pictures,/srv/scans");
  const auto all = loaded();
  const auto here = std::filesystem::current_path();
  EXPECT_EQ(all.settings.content.dir, here / "archives");
  EXPECT_EQ(all.settings.content.thumb_dir, "") << "none stays none";
  EXPECT_THAT(all.settings.content.roots, testing::ElementsAre(here / "pictures", "/srv/scans"));
  EXPECT_THAT(pluginConfigJson(all.settings, "any"), HasSubstr("\"content_dir\":\"" + (here / "archives").string()));
}

TEST_F(SettingsLoader, NamesEachWrongKeyWithReasonSourceAndNearestKey) {
  file("[server]\nprot = 1\nport = \"x\"\n");
  variable("JOBHOST_SERVER_MAX_THREAD", "1");
  set("store.synchronous=of");
  const auto message = refusal();
  EXPECT_THAT(message, HasSubstr("server.prot: is no known key; did you mean server.port? (from "));
  EXPECT_THAT(message, HasSubstr("jobhost.toml:2)"));
  EXPECT_THAT(message, HasSubstr("server.port: must be a whole number from 0 to 65535, is \"x\""));
  EXPECT_THAT(message, HasSubstr("JOBHOST_SERVER_MAX_THREAD: is no setting; did you mean JOBHOST_SERVER_MAX_THREADS?"));
  EXPECT_THAT(message, HasSubstr("store.synchronous: must be one of full, normal, is \"of\" (from --set)"));
}

TEST_F(SettingsLoader, RefusesAFileThatIsNoToml) {
  file("[server\nport = 1");
  EXPECT_THAT(refusal(), HasSubstr("line 1"));
}

TEST_F(SettingsLoader, RefusesAFileThatIsNotThere) {
  sources_.file = folder_ / "none.toml";
  EXPECT_THAT(refusal(), HasSubstr("No such file"));
}

TEST_F(SettingsLoader, RefusesTypesThatNoKeyHas) {
  file("server.port = 1.5\nplugins.folders = [1, 2]\nserver.bind = {a = 1}\n");
  const auto message = refusal();
  EXPECT_THAT(message, HasSubstr("server.port: must be a whole number from 0 to 65535, is 1.5"));
  EXPECT_THAT(message, HasSubstr("plugins.folders: must be a list of text, is [1,2]"));
  EXPECT_THAT(message, HasSubstr("server.bind: must be text"));
}

TEST_F(SettingsLoader, IgnoresVariablesOfOthers) {
  for (const char* name :
       {"JOBHOST_URL", "JOBHOST_KEY", "JOBHOST_KEY_FILE", "JOBHOST_LONG", "JOBHOST_TEST_X", "PATH"}) {
    variable(name, "x");
  }
  EXPECT_EQ(loaded().settings.server.port, 8080);
}

TEST_F(SettingsLoader, GivesAPluginItsOwnValuesAsJsonOverTheSharedOnes) {
  file(
      "[content]\ndir = \"/a\"\nroots = [\"/r\"]\n[plugin.thumbnail]\nhq = true\nsizes = [1, 2]\nthumb_dir = \"/own\"\n"
      "nested = {a = 1}\n[plugin.\"com.acme.ocr\"]\nlang = \"de\"\n");
  variable("JOBHOST_PLUGIN__com.acme.ocr__dpi", "300");
  set("plugin.com.acme.ocr.mode=fast");
  set("content.thumb_dir=/shared");
  const auto all = loaded();
  EXPECT_EQ(pluginConfigJson(all.settings, "thumbnail"),
            R"({"content_dir":"/a","hq":true,"nested":{"a":1},"roots":["/r"],"sizes":[1,2],"thumb_dir":"/own"})");
  EXPECT_EQ(all.settings.plugin.at("com.acme.ocr"),
            (std::map<std::string, std::string>{{"dpi", "300"}, {"lang", "\"de\""}, {"mode", "\"fast\""}}));
  EXPECT_EQ(pluginConfigJson(Settings{}, "other"), "{}");
  Settings uploads;
  uploads.content.upload_dir = "/u";
  EXPECT_EQ(pluginConfigJson(uploads, "other", {{"metadata", {"comicinfo", "x"}}, {"script", {}}}),
            R"({"providers":{"metadata":["comicinfo","x"],"script":[]},"upload_dir":"/u"})");
}

TEST_F(SettingsLoader, TakesTextThatOnlyLooksLikeJsonAsText) {
  set("plugin.a.b=[1,");
  set("plugin.a.c=1] , [2");
  set("plugin.a.d=say \"x\"");
  const auto all = loaded();
  EXPECT_EQ(all.settings.plugin.at("a").at("b"), R"("[1,")");
  EXPECT_EQ(all.settings.plugin.at("a").at("c"), R"("1] , [2")");
  EXPECT_EQ(all.settings.plugin.at("a").at("d"), R"("say \"x\"")");
}

TEST_F(SettingsLoader, NeverShowsASecret) {
  file("[secret.ocr]\nTOKEN = \"hunter2\"\n");
  const auto all = loaded();
  EXPECT_EQ(all.settings.secret.at("ocr").at("TOKEN"), "hunter2");
  for (const auto& row : all.effective) EXPECT_THAT(row.value, Not(HasSubstr("hunter2")));
}

TEST_F(SettingsLoader, RefusesNamesThatAreNoNames) {
  set("plugin.a b.c=1");
  set("secret.a.=1");
  EXPECT_THAT(refusal(), HasSubstr("plugin.a b.c: must be plugin.<plugin id>.<name>"));
}

TEST_F(SettingsLoader, RefusesASetWithoutAnEqualsSign) {
  EXPECT_FALSE(parseSet("server.port").ok());
}

}  // namespace
}  // namespace jobhost::settings
