#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "library/importer.hpp"
#include "library/jobs.hpp"
#include "library/names.hpp"
#include "support/archive/archive_names.hpp"
#include "support/files/unique_fd.hpp"
#include "support/job/job_failures.hpp"

namespace jobhost::library {
namespace {

namespace fs = std::filesystem;
using support::Failure;
using support::FailureKind;

constexpr int kMaxRedirects = 5;
constexpr int kRetries = 4;  // five tries in all, where another try may help

[[noreturn]] void cannotWrite(int error) {
  throw Failure(FailureKind::Io, "file.write",
                "the download cannot be kept: " + std::error_code(error, std::generic_category()).message());
}

// What the server calls the file, else what the URL does.
std::string nameOf(const HttpResponse& response, const std::string& url) {
  if (const auto header = response.header("content-disposition")) {
    if (const auto name = dispositionFileName(*header)) {
      if (auto file = fileNameOf(*name); !file.empty()) return file;
    }
  }
  std::string name = fileNameOf(urlFileName(response.url()));
  if (!support::isArchiveName(name)) {
    // A redirect often leads to a number; the address that was asked for may say more.
    if (auto asked = fileNameOf(urlFileName(url)); support::isArchiveName(asked)) return asked;
  }
  return name;
}

void saveTo(Job& job, HttpResponse& response, const fs::path& path) {
  const support::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fd) cannotWrite(errno);
  std::string chunk(256 * 1024, '\0');
  std::int64_t saved = 0;
  while (const std::size_t got = response.read(chunk.data(), chunk.size())) {
    for (std::size_t at = 0; at < got;) {
      const ssize_t put = ::write(fd.get(), chunk.data() + at, got - at);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) cannotWrite(errno);
      at += static_cast<std::size_t>(put);
    }
    saved += static_cast<std::int64_t>(got);
    job.progress(static_cast<double>(saved), static_cast<double>(response.size()), "saving");
  }
  if (::fsync(fd.get()) != 0) cannotWrite(errno);  // it is moved by its name alone
}

void requireHttp(const std::string& url) {
  std::string scheme = url.substr(0, url.find(':'));
  for (char& c : scheme) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  if (scheme != "http" && scheme != "https")
    throw Error::badInput("/url: must begin with http:// or https://").code("url.scheme");
}

/// A folder of this job's own below the upload folder; what an earlier attempt left in it goes.
fs::path stagingFolder(Job& job, const Settings& settings) {
  const fs::path folder = needUploadDir(settings) / ("url-" + std::to_string(job.id()));
  std::error_code error;
  fs::remove_all(folder, error);
  fs::create_directories(folder, error);
  if (error) cannotWrite(error.value());
  return folder;
}

Import fetchFile(Job& job, const Settings& settings, const std::string& url, const fs::path& folder) {
  job.progress(0, 0, "downloading");
  HttpRequest request(url);
  request.retry(kRetries).limit(settings.max_download_bytes).timeout(settings.download_timeout_ms);
  request.max_redirects = kMaxRedirects;
  HttpResponse response = job.fetch(request);
  response.requireOk();
  Import what;
  what.name = nameOf(response, url);
  if (what.name.empty()) {
    throw Error::permanent("No valid Content-Disposition header received, and the URL names no file.")
        .code("download.no_name");
  }
  what.staged = folder / what.name;
  saveTo(job, response, what.staged);
  return what;
}

Json fetchAndImport(Job& job, const Settings& settings, Importer& importer, const std::string& url,
                    const std::string& normal) {
  const fs::path folder = stagingFolder(job, settings);
  const auto clean = [&] {
    std::error_code error;
    fs::remove_all(folder, error);
  };
  try {
    Import what = fetchFile(job, settings, url, folder);
    what.category = job.params()["category"].str("");
    what.url = normal;
    Json result = importer.run(what);
    clean();
    return result;
  } catch (const Suspended&) {
    throw;  // it has been moved out
  } catch (...) {
    // At a shutdown another attempt goes on, perhaps with a file that was about to be moved.
    if (job.cancelled() != JH_CANCEL_SHUTDOWN) clean();
    throw;
  }
}

// One whose file is gone may be loaded again.
bool isThere(const Shelf& shelf, const std::string& id) {
  const auto archive = shelf.archive(id);
  return archive && !(*archive)["file"].stringOr("").empty();
}

Json run(Job& job) {
  const std::string url = job.params()["url"].str();
  const std::string normal = normalUrl(url);
  const Settings settings = readSettings(job);
  Importer importer(job, settings);
  // A download that failed has finished: whoever asked reads why in the result.
  const auto failed = [&](const std::string& why) { return Json{{"message", why}, {"success", 0}, {"url", normal}}; };
  try {
    if (auto done = importer.resume()) return *std::move(done);
    static_cast<void>(needContentDir(settings));
    requireHttp(url);
    const Shelf shelf(job);
    if (const auto id = shelf.archiveOfUrl(normal); id && isThere(shelf, *id))
      return Json{{"id", *id}, {"message", "URL already downloaded!"}, {"success", 0}, {"url", normal}};
    return fetchAndImport(job, settings, importer, url, normal);
  } catch (const Failure& failure) {
    return failed(failure.what());
  } catch (const Error& error) {
    return failed(error.message());
  }
}

}  // namespace

Json runDownloadUrl(Job& job) {
  return support::translated(job, run);
}

}  // namespace jobhost::library
