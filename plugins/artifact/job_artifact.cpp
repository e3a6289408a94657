#include <unistd.h>

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <system_error>

#include "artifact/books.hpp"
#include "artifact/convert.hpp"
#include "artifact/epub_of.hpp"
#include "artifact/jobs.hpp"
#include "artifact/settings.hpp"
#include "artifact/stored_files.hpp"
#include "artifact/stored_novel.hpp"
#include "support/job/job_failures.hpp"

namespace jobhost::artifact {
namespace {

using support::Failure;
using support::FailureKind;
using support::UniqueFd;

constexpr std::string_view kSummary = "Failed to make artifact";

struct Params {
  std::string novel_id;
  Format format = Format::Epub;
};

Params readParams(Job& job) {
  const auto text = [&job](const char* name) { return job.params()[name].str(""); };
  Params params;
  params.novel_id = text("novel_id");
  if (params.novel_id.empty()) {
    throw jobError(JH_CLASS_BAD_INPUT, "artifact.no_novel_id", "No novel id", "/novel_id: is missing");
  }
  if (!isFileId(params.novel_id)) {
    throw jobError(JH_CLASS_BAD_INPUT, "artifact.no_novel", std::string(kSummary), "/novel_id: is no id of a novel");
  }
  const std::string format = text("format");
  if (format.empty()) {
    throw jobError(JH_CLASS_BAD_INPUT, "artifact.no_format", "No output format", "/format: is missing");
  }
  const auto known = formatOf(format);
  if (!known) {
    throw jobError(JH_CLASS_BAD_INPUT, "artifact.format", "Invalid format: " + format.substr(0, 100),
                   "/format: is none of the fourteen formats");
  }
  params.format = *known;
  return params;
}

/// Writes the book ourselves.
Json writeBook(Job& job, Format format, StoredNovel& novel, const std::filesystem::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) throw Failure(FailureKind::Io, "file.write", "the temp folder of the job cannot be written to");
  const auto all = static_cast<double>(novel.chapterCount());
  BuildHooks hooks;
  hooks.stop = support::stopCheckOf(job);
  hooks.written = [&job, all](std::size_t chapters) { job.progress(static_cast<double>(chapters), all); };
  const auto writer = format == Format::Epub ? &writeEpub : format == Format::Json ? &writeJson : &writeTxt;
  const BookReport report = writer(novel, file.get(), BookLimits{}, hooks);
  if (report.missing_images > 0) {
    job.warn(std::to_string(report.missing_images) + " pictures are absent, or of a type books cannot hold");
  }
  return Json{{"chapters", report.chapters},
              {"missing_chapters", report.missing_chapters},
              {"volumes", report.volumes},
              {"images", report.images},
              {"missing_images", report.missing_images}};
}

void convertBook(Job& job, const Params& params, StoredNovel& novel, const std::filesystem::path& path,
                 const Settings& settings) {
  const auto epub = epubOf(job, settings, params.novel_id);
  if (!epub) throw noEpub(params.format);
  convert(job, params.format, novel.novel(), {*epub, path, novel.coverPath()}, settings);
}

/// Stores what the artifact is. At once, so that whoever reads the note finds it; a second run writes the same again.
void record(Job& job, const Params& params, const std::string& id, const std::string& file_name, std::int64_t size) {
  const Value owner = job.info()["owner"];
  const Json artifact{
      {"novel_id", params.novel_id},     {"job_id", job.id()},     {"user_id", owner.present() ? owner.json() : Json()},
      {"format", nameOf(params.format)}, {"file_name", file_name}, {"file_size", size}};
  const Records artifacts = job.records(kArtifacts);
  const auto before = artifacts.get(id);
  PutOptions options;
  options.parent = "artifacts";
  options.sort = before ? before->sort
                        : Json(std::int64_t{std::chrono::duration_cast<std::chrono::milliseconds>(
                                                std::chrono::system_clock::now().time_since_epoch())
                                                .count()});
  options.now = true;
  artifacts.put(id, artifact, options);
  job.note("artifact_id", id);
}

/// Leaves nothing of a novel that was deleted meanwhile.
void takeBack(Job& job, const std::string& id, const std::filesystem::path& placed) {
  DelOptions options;
  options.now = true;
  job.records(kArtifacts).del(id, options);
  std::error_code ignored;
  std::filesystem::remove(placed, ignored);
  // The folders too, where nothing else is in them.
  for (auto folder = placed.parent_path(); folder != placed.parent_path().parent_path().parent_path();
       folder = folder.parent_path()) {
    if (!std::filesystem::remove(folder, ignored)) break;
  }
}

Json make(Job& job) {
  const Params params = readParams(job);
  const Settings settings = Settings::of(job);
  StoredNovel novel(job, settings, params.novel_id);
  // The name it has on the way is the job's own, also where it must be copied.
  const std::filesystem::path made = std::filesystem::path(job.tempDir()) / ("artifact-" + std::to_string(job.id()) +
                                                                             "." + std::string(nameOf(params.format)));
  Json result = Json::object();
  if (needsConverter(params.format)) {
    convertBook(job, params, novel, made, settings);
  } else {
    result = writeBook(job, params.format, novel, made);
  }
  std::error_code unread;
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(made, unread));
  if (unread) throw Failure(FailureKind::Io, "file.read", "what was made cannot be read: " + unread.message());
  const std::string id = artifactIdOf(job.id());
  const std::string file_name = artifactFileName(novel.novel().title, params.format);
  job.check();
  novel.checkThere();
  const std::filesystem::path placed = settings.artifacts(params.novel_id) / file_name;
  placeFile(made, placed, settings.temporary());
  record(job, params, id, file_name, size);
  try {
    // Whoever deletes a novel clears its folder once more when its record is gone: what was there until now is found.
    novel.checkThere();
  } catch (const Failure&) {
    takeBack(job, id, placed);
    throw;
  }
  result.set("artifact_id", id);
  result.set("format", nameOf(params.format));
  result.set("file_name", file_name);
  result.set("file_size", size);
  return result;
}

/// What lncrawl's clients read for a failure of ours; the rest of its text is the cause.
std::string summaryOf(const std::string& code) {
  if (code == "artifact.no_converter") return "No calibre executables";
  if (code == "artifact.no_epub") return "No EPub file found";
  if (code == "artifact.conversion" || code == "artifact.conversion_timeout" || code == "artifact.converter_busy" ||
      code == "artifact.converter_timeout") {
    return "Failed running ebook-convert";
  }
  return std::string(kSummary);
}

}  // namespace

Error jobError(std::int32_t error_class, std::string code, std::string summary, std::string_view cause) {
  if (cause.starts_with(summary + ": ")) cause.remove_prefix(summary.size() + 2);
  Error error(error_class, std::move(code), std::move(summary));
  return std::move(error).details(Json{{"cause", cause}}.dump());
}

Json runArtifact(Job& job) {
  try {
    return support::translated(job, make);
  } catch (const Error& error) {
    if (!error.detailsJson().empty()) throw;
    throw jobError(error.errorClass(), error.code(), summaryOf(error.code()), error.message())
        .retryAfterMs(error.retryAfterMs());
  }
}

}  // namespace jobhost::artifact
