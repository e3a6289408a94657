// Outputs as one archive, compressed answers, and the reference page.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <type_traits>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <sys/socket.h>

#include "api/content_coding.hpp"
#include "api/zip_source.hpp"
#include "core/job_paths.hpp"
#include "dialects/api_host.hpp"
#include "dialects/response_check.hpp"

namespace jobhost::test {
namespace {

using store::OutcomeKind;
namespace fs = std::filesystem;

struct File {
  std::string name, media_type, bytes;
};

std::int64_t finishWith(ApiHost& host, const std::vector<File>& files) {
  const auto id = host.submit();
  std::vector<core::Output> outputs;
  for (const auto& file : files) {
    const auto path = core::jobPaths(host.data(), {id}).output / file.name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << file.bytes;
    outputs.push_back({file.name, file.media_type, static_cast<std::int64_t>(file.bytes.size()), ""});
  }
  host.settle(host.start(id), OutcomeKind::Succeeded, "{}", std::nullopt, outputs);
  return id;
}

std::string zipPath(std::int64_t id) {
  return "/api/v1/jobs/" + std::to_string(id) + "/outputs.zip";
}

/// Name and bytes of each file of an archive; nothing when it cannot be read to its end.
std::map<std::string, std::string> unzip(const std::string& bytes) {
  std::map<std::string, std::string> files;
  // The reader too asks the locale how names are to be spelt.
  const std::unique_ptr<std::remove_pointer_t<locale_t>, decltype(&::freelocale)> utf8(
      ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr), &::freelocale);
  const struct Restore {
    locale_t before;
    ~Restore() { ::uselocale(before); }
  } restore{::uselocale(utf8.get())};
  const std::unique_ptr<archive, decltype(&archive_read_free)> reader(archive_read_new(), &archive_read_free);
  archive_read_support_format_zip_seekable(reader.get());  // by the directory at its end, as most programs do
  EXPECT_EQ(archive_read_set_format_option(reader.get(), "zip", "hdrcharset", "UTF-8"), ARCHIVE_OK);
  EXPECT_EQ(archive_read_open_memory(reader.get(), bytes.data(), bytes.size()), ARCHIVE_OK);
  archive_entry* entry = nullptr;
  int code = ARCHIVE_OK;
  while ((code = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK || code == ARCHIVE_WARN) {
    std::string content;
    char piece[4096];
    la_ssize_t got = 0;
    while ((got = archive_read_data(reader.get(), piece, sizeof piece)) > 0) {
      content.append(piece, static_cast<std::size_t>(got));
    }
    EXPECT_EQ(got, 0) << archive_error_string(reader.get());
    const char* name = archive_entry_pathname_utf8(entry);
    files[name != nullptr ? name : "a name that is not UTF-8"] = content;
  }
  EXPECT_EQ(code, ARCHIVE_EOF) << archive_error_string(reader.get());
  return files;
}

std::string noise(std::size_t size) {
  std::mt19937 random(7);
  std::string bytes(size, '\0');
  for (auto& c : bytes) c = static_cast<char>(random());
  return bytes;
}

TEST(NativeOutputs, ComeAsOneArchive) {
  ApiHost host;
  const std::string text(300'000, 'a'), picture = noise(200'000);
  const auto id =
      finishWith(host, {{"a.txt", "text/plain", text}, {"pages/1.jpg", "image/jpeg", picture}, {"empty", "", ""}});
  const auto answer = host.call("GET", zipPath(id));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "application/zip");
  EXPECT_EQ(answer.headers.at("transfer-encoding"), "chunked");
  EXPECT_EQ(answer.headers.count("content-length"), 0U);
  EXPECT_EQ(answer.headers.at("content-disposition"), "attachment; filename=\"job-" + std::to_string(id) + ".zip\"");
  const auto files = unzip(answer.body);
  EXPECT_EQ(files, (std::map<std::string, std::string>{{"a.txt", text}, {"pages/1.jpg", picture}, {"empty", ""}}));
  EXPECT_LT(answer.body.size(), picture.size() + 20'000) << "text is deflated";
  EXPECT_GT(answer.body.size(), picture.size()) << "pictures are stored";
  EXPECT_EQ(host.call("HEAD", zipPath(id)).status, 200);
}

TEST(NativeOutputs, ArchiveAnswersOnOneConnectionAfterAnother) {
  ApiHost host;
  const auto id = finishWith(host, {{"a.txt", "text/plain", "hello"}});
  Wire wire(host.port());
  const auto ask = "GET " + zipPath(id) + " HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() + "\r\n\r\n";
  for (int i = 0; i < 2; ++i) {
    wire.send(ask);
    EXPECT_EQ(unzip(wire.receive().body).at("a.txt"), "hello");
  }
  // A client of HTTP/1.0 knows no chunks: there the connection's end is the archive's.
  Wire old(host.port());
  old.send("GET " + zipPath(id) + " HTTP/1.0\r\nHost: t\r\nX-API-Key: " + host.adminKey() + "\r\n\r\n");
  const auto all = old.readUntil("\x01\x02 never \x03");
  EXPECT_EQ(all.find("Transfer-Encoding"), std::string::npos) << all.substr(0, 400);
  EXPECT_EQ(unzip(all.substr(all.find("\r\n\r\n") + 4)).at("a.txt"), "hello");
}

TEST(NativeOutputs, ArchiveOfAFileThatIsGoneIsCutOff) {
  ApiHost host;
  const auto id = finishWith(host, {{"a.bin", "image/png", noise(500'000)}, {"b.txt", "text/plain", "b"}});
  fs::remove(core::jobPaths(host.data(), {id}).output / "b.txt");
  EXPECT_EQ(host.call("GET", zipPath(id)).status, 404) << "before it is begun";
  EXPECT_EQ(host.call("GET", zipPath(host.submit())).status, 404) << "a job without outputs";
  // Beneath the API: a file that is replaced by a link while the archive is on its way.
  const auto folder = host.data() / "zip";
  fs::create_directories(folder);
  std::ofstream(folder / "a") << noise(200'000);
  fs::create_symlink("/etc/hostname", folder / "b");
  const auto source = api::zipOf({{"a", folder / "a", 200'000, true}, {"b", folder / "b", 1, true}});
  core::Result<std::string_view> piece = std::string_view("-");
  for (int i = 0; i < 100 && piece && !piece->empty(); ++i) piece = source->next();
  EXPECT_FALSE(piece) << "the archive must not look whole";
}

/// A job whose archive is larger than what sockets hold, so that it is on its way until its client reads.
std::int64_t finishWithMuch(ApiHost& host) {
  constexpr std::int64_t kMuch = 64 << 20;
  const auto id = host.submit();
  const auto folder = core::jobPaths(host.data(), {id}).output;
  fs::create_directories(folder);
  std::ofstream(folder / "much") << "x";
  fs::resize_file(folder / "much", kMuch);
  std::ofstream(folder / "z.txt") << "z";
  host.settle(host.start(id), OutcomeKind::Succeeded, "{}", std::nullopt,
              {{"much", "image/png", kMuch, ""}, {"z.txt", "text/plain", 1, ""}});
  return id;
}

std::string askFor(const ApiHost& host, const std::string& path, const std::string& version = "1.1") {
  return "GET " + path + " HTTP/" + version + "\r\nHost: t\r\nX-API-Key: " + host.adminKey() + "\r\n\r\n";
}

/// Reads what is left; errno of how it ended, 0: in order.
int endOf(const Wire& wire) {
  std::vector<char> piece(1 << 20);
  for (;;) {
    const auto got = ::recv(wire.fd(), piece.data(), piece.size(), 0);
    if (got <= 0) return got == 0 ? 0 : errno;
  }
}

TEST(NativeOutputs, ArchivesAreFewAtOnceAndAClientThatLeavesMakesRoom) {
  api::ServerOptions options;
  options.http.max_archives = 4;
  ApiHost host(options);
  const auto id = finishWithMuch(host);
  {
    Wire wire(host.port());
    wire.send(askFor(host, zipPath(id)));
    EXPECT_NE(wire.readUntil("\r\n\r\n").find(" 200 "), std::string::npos);
    const auto refused = host.call("GET", zipPath(id));
    EXPECT_EQ(refused.status, 429) << "a quarter of the places for one caller";
    EXPECT_EQ(refused.headers.count("retry-after"), 1U);
    EXPECT_EQ(host.call("GET", "/api/v1/jobs/" + std::to_string(id)).status, 200);
  }
  const auto small = finishWith(host, {{"a.txt", "text/plain", "hello"}});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(90);
  auto answer = host.call("GET", zipPath(small));
  while (answer.status == 429 && std::chrono::steady_clock::now() < deadline) answer = host.call("GET", zipPath(small));
  ASSERT_EQ(answer.status, 200) << "the client of the first has gone midway";
  EXPECT_EQ(unzip(answer.body).at("a.txt"), "hello");
}

TEST(NativeOutputs, LongFilesOfOneCallerHaveAQuarterOfTheThreads) {
  api::ServerOptions options;
  options.http.max_threads = 4;
  ApiHost host(options);
  const auto another = host.addKey(R"({"name":"k","privileges":["read_jobs"]})");
  const auto small = "/api/v1/jobs/" + std::to_string(finishWith(host, {{"a", "text/plain", "a"}})) + "/outputs/a";
  const auto much = "/api/v1/jobs/" + std::to_string(finishWithMuch(host)) + "/outputs/much";
  Wire wire(host.port());
  wire.send(askFor(host, much));
  EXPECT_NE(wire.readUntil("\r\n\r\n").find(" 200 "), std::string::npos);
  const auto refused = host.call("GET", much);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers.count("retry-after"), 1U);
  EXPECT_EQ(host.call("GET", much, "", "Range: bytes=0-99\r\n").status, 206) << "it is soon over";
  EXPECT_EQ(host.call("GET", small).body, "a");
  Wire others(host.port());
  others.send("GET " + much + " HTTP/1.1\r\nHost: t\r\nX-API-Key: " + another + "\r\n\r\n");
  EXPECT_NE(others.readUntil("\r\n\r\n").find(" 200 "), std::string::npos);
}

TEST(NativeOutputs, ASlowReaderGivesWayToAConnectionThatWaits) {
  for (const char* what : {"/outputs.zip", "/outputs/much"}) {
    api::ServerOptions options;
    options.http.max_threads = 1;
    options.http.send_idle = std::chrono::minutes(10);
    ApiHost host(options);
    const auto path = "/api/v1/jobs/" + std::to_string(finishWithMuch(host)) + what;
    Wire wire(host.port());
    wire.send(askFor(host, path));
    EXPECT_NE(wire.readUntil("\r\n\r\n").find(" 200 "), std::string::npos) << what;
    EXPECT_EQ(host.bare("GET", "/healthz").status, 200) << what;
  }
}

TEST(NativeOutputs, AFileOfAnotherSizeThanTheJobMadeIsNotServed) {
  ApiHost host;
  const auto id = finishWith(host, {{"a.txt", "text/plain", "0123456789"}, {"b.txt", "text/plain", "b"}});
  const auto folder = core::jobPaths(host.data(), {id}).output;
  const auto target = "/api/v1/jobs/" + std::to_string(id) + "/outputs/";
  fs::resize_file(folder / "a.txt", 4);
  const auto refused = host.call("GET", target + "a.txt");
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(memberOf(refused.body, "detail"), "the file of the output a.txt is damaged: it has 4 bytes instead of 10");
  EXPECT_EQ(host.call("GET", target + "b.txt").body, "b");
  const auto archive = host.call("GET", zipPath(id));
  EXPECT_EQ(archive.status, 404);
  EXPECT_NE(archive.body.find("a.txt is damaged"), std::string::npos) << archive.body;
  const auto source = api::zipOf({{"a.txt", folder / "a.txt", 10, false}});
  EXPECT_FALSE(source->next()) << "damaged after it was begun";
}

TEST(NativeOutputs, BrokenOffArchiveEndsLikeNoWholeOne) {
  ApiHost host;
  const auto id = finishWithMuch(host);
  Wire wire(host.port());
  wire.send(askFor(host, zipPath(id), "1.0"));
  EXPECT_NE(wire.readUntil("\r\n\r\n").find(" 200 "), std::string::npos);
  fs::remove(core::jobPaths(host.data(), {id}).output / "z.txt");  // its turn comes when the first has been read
  EXPECT_EQ(endOf(wire), ECONNRESET);
}

TEST(NativeOutputs, StoppingWaitsForNoDownload) {
  for (const char* what : {"/outputs.zip", "/outputs/much"}) {
    api::ServerOptions options;
    options.http.send_idle = std::chrono::minutes(10);
    options.http.stop_grace = std::chrono::milliseconds(50);
    ApiHost host(options);
    const auto path = "/api/v1/jobs/" + std::to_string(finishWithMuch(host)) + what;
    Wire wire(host.port());
    wire.send(askFor(host, path));
    EXPECT_NE(wire.readUntil("\r\n\r\n").find(" 200 "), std::string::npos) << what;
    const auto begun = std::chrono::steady_clock::now();
    host.server().stop();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(60)) << what;
  }
}

TEST(NativeOutputs, ArchiveNamesAreSafe) {
  EXPECT_EQ(api::zipName("pages/1 ä.jpg"), "pages/1 ä.jpg");
  EXPECT_EQ(api::zipName("../../etc/passwd"), "__/__/etc/passwd");
  EXPECT_EQ(api::zipName("/abs//x/./y/"), "abs/x/y");
  EXPECT_EQ(api::zipName("C:\\evil\\x.exe"), "C__evil_x.exe");
  EXPECT_EQ(api::zipName("a\nb\x7f"), "a_b_");
  EXPECT_EQ(api::zipName(".. /.../a. /b .txt"), "___/___/a__/b .txt") << "Windows drops dots and blanks at the end";
  EXPECT_EQ(api::zipName("con/NUL.txt/com1"), "_con/_NUL.txt/_com1");
  EXPECT_EQ(api::zipName("\xff\xfe.txt"), "__.txt");
  EXPECT_EQ(api::zipName(""), "_");
  const auto folder = fs::temp_directory_path() / ("jobhost-zip-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "f") << "x";
  const auto source = api::zipOf({{"a:b.txt", folder / "f", 1, false},
                                  {"a?b.txt", folder / "f", 1, false},
                                  {"ü/a_b.txt", folder / "f", 1, false},
                                  {"Ü.txt", folder / "f", 1, false},
                                  {"A_B.TXT", folder / "f", 1, false}});
  std::string bytes;
  for (;;) {
    const auto piece = source->next();
    ASSERT_TRUE(piece);
    if (piece->empty()) break;
    bytes += *piece;
  }
  fs::remove_all(folder);
  std::vector<std::string> names;
  for (const auto& [name, content] : unzip(bytes)) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"A_B (3).TXT", "a_b (2).txt", "a_b.txt", "Ü.txt", "ü/a_b.txt"}));
}

TEST(NativeOutputs, ArchiveIsMadeInPieces) {
  const auto folder = fs::temp_directory_path() / ("jobhost-zip-big-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "big") << "x";
  // A hole: no disk is used. Beyond 4 GiB only in the long mode: its checksum takes a while.
  const bool large = std::getenv("JOBHOST_LONG") != nullptr;
  fs::resize_file(folder / "big", large ? 5LL << 30 : 64LL << 20);
  const auto source = api::zipOf({{"big", folder / "big", large ? 5LL << 30 : 64LL << 20, true}});
  std::size_t largest = 0, total = 0;
  std::string end;
  for (;;) {
    const auto piece = source->next();
    ASSERT_TRUE(piece) << piece.error().message;
    if (piece->empty()) break;
    largest = std::max(largest, piece->size());
    total += piece->size();
    end = (end + std::string(*piece)).substr(std::max<std::size_t>(end.size() + piece->size(), 4096) - 4096);
  }
  fs::remove_all(folder);
  EXPECT_LT(largest, 512U * 1024U);
  EXPECT_GT(total, large ? 5ULL << 30 : 64ULL << 20);
  if (large) {
    EXPECT_NE(end.find("PK\x06\x06"), std::string::npos) << "a directory of ZIP64";
  }
}

TEST(ContentCoding, IsChosenAsTheClientWeighsIt) {
  const auto accepts = [](std::vector<std::string> values) {
    std::vector<api::Header> headers;
    for (const auto& value : values) headers.push_back({"accept-encoding", value});
    return api::acceptsGzip(headers);
  };
  EXPECT_FALSE(accepts({}));
  EXPECT_TRUE(accepts({"gzip"}));
  EXPECT_TRUE(accepts({"br, GZIP;q=0.5"}));
  EXPECT_TRUE(accepts({"br", "x-gzip"}));
  EXPECT_TRUE(accepts({"*"}));
  EXPECT_FALSE(accepts({"gzip;q=0"}));
  EXPECT_FALSE(accepts({"gzip; q=0.000, *"}));
  EXPECT_FALSE(accepts({"gzip;q=0.5, identity;q=0.8"}));
  EXPECT_TRUE(accepts({"gzip;q=0.8, identity;q=0.8"}));
  EXPECT_FALSE(accepts({"gzip;q=high"}));
  EXPECT_FALSE(accepts({"br, zstd"}));
  EXPECT_FALSE(accepts({"gzipped"}));
}

TEST(ContentCoding, PacksJsonOfAllDialectsAndNothingElse) {
  ApiHost host;
  const std::string gzip = "Accept-Encoding: gzip\r\n";
  const auto id = host.submit("echo", R"({"text":")" + std::string(5000, 'x') + R"("})");
  const auto path = "/api/v1/jobs/" + std::to_string(id);
  const auto plain = host.call("GET", path);
  EXPECT_EQ(plain.headers.count("content-encoding"), 0U);
  EXPECT_EQ(plain.headers.at("vary"), "Accept-Encoding");
  const auto packed = host.call("GET", path, "", gzip);
  EXPECT_EQ(packed.headers.at("content-encoding"), "gzip");
  EXPECT_EQ(packed.headers.at("vary"), "Accept-Encoding");
  EXPECT_LT(packed.body.size(), plain.body.size() / 4);
  EXPECT_EQ(gunzip(packed.body), plain.body);
  const auto head = host.call("HEAD", path, "", gzip);
  EXPECT_EQ(head.headers.at("content-length"), std::to_string(packed.body.size()));

  const auto started = host.start(id);
  for (int i = 0; i < 50; ++i) host.note(started, "note " + std::to_string(i), "\"something to say\"");
  const auto minion = host.bare("GET", "/api/minion/" + std::to_string(id), "", gzip);
  EXPECT_EQ(minion.status, 200);
  EXPECT_EQ(minion.headers.at("content-encoding"), "gzip");
  EXPECT_NE(gunzip(minion.body).find("something to say"), std::string::npos);

  const auto small = host.call("GET", "/api/v1/auth/me", "", gzip);
  EXPECT_LT(small.body.size(), api::kCompressedBody);
  EXPECT_EQ(small.headers.count("content-encoding"), 0U);
  EXPECT_EQ(small.headers.count("vary"), 0U);
  const auto metrics = host.call("GET", "/metrics", "", gzip);
  EXPECT_EQ(metrics.headers.count("content-encoding"), 0U) << "no JSON";
  const auto with_file = finishWith(host, {{"a.json", "application/json", "[" + std::string(2000, ' ') + "]"}});
  const auto output = "/api/v1/jobs/" + std::to_string(with_file) + "/outputs/a.json";
  EXPECT_EQ(host.call("GET", output, "", gzip).headers.count("content-encoding"), 0U);
  EXPECT_EQ(host.call("GET", output, "", gzip + "Range: bytes=0-1000\r\n").status, 206);
  Wire stream(host.port());
  stream.send("GET " + path + "/events HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() + "\r\n" + gzip + "\r\n");
  EXPECT_EQ(stream.readUntil("event: snapshot").find("Content-Encoding"), std::string::npos);
}

TEST(ReferencePage, ShowsTheViewerOrSaysWhereTheDocumentIs) {
  {
    ApiHost host;
    const auto plain = host.bare("GET", "/api/v1/docs");
    EXPECT_EQ(plain.status, 200);
    EXPECT_EQ(plain.headers.at("content-type"), "text/html; charset=utf-8");
    EXPECT_NE(plain.body.find("href=\"openapi.json\""), std::string::npos);
    EXPECT_EQ(plain.body.find("<script"), std::string::npos);
    EXPECT_EQ(host.bare("GET", "/api/v1/docs/swagger-ui.css").status, 404);
  }
  const auto folder = fs::temp_directory_path() / ("jobhost-reference-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  for (const char* name : {"swagger-ui-bundle.js", "swagger-ui.css", "secret.txt"})
    std::ofstream(folder / name) << name;
  api::ServerOptions options;
  options.reference_folder = folder;
  ApiHost host(options);
  const auto page = host.bare("GET", "/api/v1/docs");
  const auto policy = page.headers.at("content-security-policy");
  EXPECT_NE(policy.find("default-src 'none'; script-src 'self';"), std::string::npos) << policy;
  EXPECT_EQ(page.body.find("http"), std::string::npos) << "nothing comes from elsewhere";
  EXPECT_EQ(page.body.find("<script>"), std::string::npos) << "the policy forbids it";
  const auto script = host.bare("GET", "/api/v1/docs/swagger-ui-bundle.js");
  EXPECT_EQ(script.body, "swagger-ui-bundle.js");
  EXPECT_EQ(script.headers.at("content-type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(host.bare("GET", "/api/v1/docs/start.js").status, 200);
  EXPECT_EQ(host.bare("GET", "/api/v1/docs/secret.txt").status, 404) << "files that are not the page's";
  EXPECT_EQ(host.bare("GET", "/api/v1/docs/..%2fsecret.txt").status, 404);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace jobhost::test
