// The eleven converted formats by the calibre of this machine, run as the host runs programs: a clean environment, the
// limits that the manifest and the plugin ask for, no new privileges.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "artifact/formats.hpp"
#include "fake_book.hpp"
#include "shelf.hpp"

namespace jobhost::artifact {
namespace {

using jobhost::testing::Spawn;
using jobhost::testing::SpawnEnd;
using testing::imageId;
using testing::readFile;

bool has(const char* program) {
  return std::system((std::string("command -v ") + program + " >/dev/null").c_str()) == 0;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (auto& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

/// Runs the program; `address_space` is what a runner of the plugin has.
SpawnEnd runForReal(const Spawn& asked, std::int64_t address_space) {
  const Json& env = asked.options["env"];
  const std::string folder(env["HOME"].stringOr("/nowhere"));
  std::vector<std::string> words = asked.argv;
  words.front() = "/usr/bin/" + words.front();
  std::vector<std::string> variables{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "TMPDIR=" + folder};
  for (std::size_t i = 0; i < env.size(); ++i) {
    variables.push_back(env.names()[i] + "=" + std::string(env.items()[i].stringOr("")));
  }
  const std::vector<char*> arguments = pointers(words);
  const std::vector<char*> environment = pointers(variables);
  const auto own = static_cast<rlim_t>(asked.options["memory_bytes"].intOr(address_space));
  const std::string said = folder + "/said";
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit memory{own, own};
    const rlimit files{512, 512};
    const int out = ::open(said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const bool ready = ::setrlimit(RLIMIT_AS, &memory) == 0 && ::setrlimit(RLIMIT_NOFILE, &files) == 0 &&
                       ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::chdir(folder.c_str()) == 0 &&
                       ::dup2(::open("/dev/null", O_RDONLY), 0) == 0 && ::dup2(out, 1) == 1 && ::dup2(out, 2) == 2;
    if (ready) ::execve(arguments.front(), arguments.data(), environment.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  SpawnEnd end = WIFEXITED(status) ? SpawnEnd::exited(WEXITSTATUS(status)) : SpawnEnd::killed(WTERMSIG(status));
  end.out = readFile(said);
  return end;
}

class Calibre : public ::testing::TestWithParam<Format> {
 protected:
  Calibre() {
    shelf_.novel(1, {{"title", "Straße & Söhne: 50% \"mehr\""}, {"language", "de"}});
    shelf_.volume(1, "Erster Teil");
    const std::string html = "<p>Zebrastreifen und \u201eGänsefüßchen\u201c.</p><p><img src=\"images/" + imageId(5) +
                             ".jpg\" alt=\"Bild\"></p><p>\u4f60\u597d\uff0c\u4e16\u754c\u3002</p>";
    shelf_.chapter(1, "Anfang", html.c_str());
    shelf_.chapter(2, "Ende", "<p>Und dann war Schluss.</p>");
    shelf_.image(5, testing::jpeg());
    shelf_.cover(testing::jpeg());
    const Json& limits = shelf_.host.manifest()["job_types"].at(0)["limits"];
    const std::int64_t address_space = limits["memory_mb"].intOr(4096) << 20;
    shelf_.host.onSpawn([address_space](const Spawn& asked) { return runForReal(asked, address_space); });
  }
  jobhost::testing::Attempt make(Format format) {
    return shelf_.host.run("artifact", {{"novel_id", testing::uuid(1)}, {"format", nameOf(format)}});
  }
  testing::Shelf shelf_{std::string(JOBHOST_PLUGIN_DIR) + "/artifact.so"};
};

/// What a file of the format has at the offset.
std::pair<std::size_t, std::string> magicOf(Format format) {
  switch (format) {
    case Format::Mobi:
    case Format::Azw3:
      return {60, "BOOKMOBI"};
    case Format::Docx:
      return {0, "PK"};
    case Format::Fb2:
      return {0, "<?xml"};
    case Format::Lit:
      return {0, "ITOLITLS"};
    case Format::Pdb:
      return {64, "REAd"};
    case Format::Tcr:
      return {0, "!!8-Bit!!"};
    case Format::Pdf:
      return {0, "%PDF-"};
    case Format::Rtf:
      return {0, "{\\rtf"};
    case Format::Lrf:
      return {0, std::string("L\0R\0F\0", 6)};
    case Format::Rb:
      return {0, "\xb0\x0c\xb0\x0c"};
    default:
      return {0, "PK"};
  }
}

TEST_P(Calibre, MakesTheFormat) {
  if (!has("ebook-convert")) GTEST_SKIP() << "calibre is not installed";
  ASSERT_TRUE(make(Format::Epub).succeeded());
  const auto done = make(GetParam());
  ASSERT_TRUE(done.succeeded()) << done.error_message << "\n"
                                << done.error_details.dump() << "\n"
                                << (done.log.empty() ? std::string() : done.log.back().text);
  EXPECT_TRUE(done.complaints.empty());
  const std::string name(done.result["file_name"].stringOr(""));
  const std::string bytes = readFile(shelf_.artifactPath(name));
  const auto [at, magic] = magicOf(GetParam());
  ASSERT_GT(bytes.size(), 200u) << "a few words, packed";
  EXPECT_EQ(bytes.substr(at, magic.size()), magic);
  EXPECT_EQ(done.progress.back().total, 100) << "what it prints is read as progress";
}

class CalibrePdf : public Calibre {};

TEST_P(CalibrePdf, HasTheWholeText) {
  if (!has("ebook-convert") || !has("pdftotext")) GTEST_SKIP() << "calibre or pdftotext is not installed";
  ASSERT_TRUE(make(Format::Epub).succeeded());
  const auto done = make(GetParam());
  ASSERT_TRUE(done.succeeded()) << done.error_details.dump();
  const std::string pdf = shelf_.artifactPath(std::string(done.result["file_name"].stringOr("")));
  const std::string text = (shelf_.dir() / "text").string();
  ASSERT_EQ(std::system(("pdftotext '" + pdf + "' '" + text + "'").c_str()), 0);
  std::string read = readFile(text);
  // Where words may be parted, as --pdf-hyphenate wants.
  for (auto at = read.find("\u00ad"); at != std::string::npos; at = read.find("\u00ad")) read.erase(at, 2);
  if (const char* keep = std::getenv("JOBHOST_KEEP_PDF")) {
    std::filesystem::copy_file(pdf, keep, std::filesystem::copy_options::overwrite_existing);
  }
  for (const char* words : {"Anfang", "Zebrastreifen", "Und dann war Schluss.", "Erster Teil", "Ende"}) {
    EXPECT_NE(read.find(words), std::string::npos) << words << " in:\n" << read;
  }
}

std::vector<Format> converted() {
  std::vector<Format> all(kFormats.begin(), kFormats.end());
  std::erase_if(all, [](Format format) { return !needsConverter(format); });
  return all;
}

INSTANTIATE_TEST_SUITE_P(Text, CalibrePdf, ::testing::Values(Format::Pdf));
INSTANTIATE_TEST_SUITE_P(All, Calibre, ::testing::ValuesIn(converted()),
                         [](const auto& one) { return std::string(nameOf(one.param)); });

}  // namespace
}  // namespace jobhost::artifact
