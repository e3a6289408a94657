#include "artifact/epub_of.hpp"

#include <charconv>
#include <system_error>

#include "artifact/formats.hpp"
#include "support/common/uuid.hpp"
#include "support/files/archive_id.hpp"

namespace jobhost::artifact {
namespace {

constexpr std::int64_t kRememberedMs = 30LL * 24 * 3600 * 1000;  // longer than a conversion waits for its turn

std::string keyOf(std::int64_t batch_job) {
  return "epub-of/" + std::to_string(batch_job);
}

std::optional<std::filesystem::path> fileOf(const Settings& settings, const std::string& novel_id,
                                            const Json& artifact) {
  if (artifact["format"].stringOr("") != nameOf(Format::Epub)) return std::nullopt;
  const std::filesystem::path name = std::string(artifact["file_name"].stringOr(""));
  if (name.empty() || name != name.filename() || name == "." || name == "..") return std::nullopt;
  std::filesystem::path path = settings.artifacts(novel_id) / name;
  std::error_code unread;
  if (!std::filesystem::is_regular_file(path, unread)) return std::nullopt;
  return path;
}

std::optional<std::filesystem::path> newestEpub(Job& job, const Settings& settings, const std::string& novel_id) {
  const Records artifacts = job.records(kArtifacts);
  auto query = RecordQuery::having("novel_id", novel_id).descending().limit(100);
  for (;;) {
    const RecordPage page = artifacts.list(query);
    for (const Record& record : page.items) {
      if (auto path = fileOf(settings, novel_id, record.value)) return path;
    }
    if (page.next.empty()) return std::nullopt;
    query.after(page.next);
  }
}

}  // namespace

std::string artifactIdOf(std::int64_t job_id) {
  return support::uuidFromDigest(support::sha1Of("org.jobhost.artifact/" + std::to_string(job_id)));
}

void rememberEpub(Job& job, std::int64_t batch_job, std::int64_t epub_job) {
  KeyOptions options;
  options.ttl_ms = kRememberedMs;
  options.now = true;  // the conversions may run before this attempt has ended
  job.kv().put(keyOf(batch_job), std::to_string(epub_job), options);
}

std::optional<std::filesystem::path> epubOf(Job& job, const Settings& settings, const std::string& novel_id) {
  const std::int64_t parent = job.info()["parent"].integer(0, INT64_MAX, 0);
  const auto remembered = parent != 0 ? job.kv().get(keyOf(parent)) : std::nullopt;
  if (!remembered) return newestEpub(job, settings, novel_id);
  std::int64_t epub_job = 0;
  const std::string& text = remembered->bytes;
  std::from_chars(text.data(), text.data() + text.size(), epub_job);
  const auto record = job.records(kArtifacts).get(artifactIdOf(epub_job));
  return record ? fileOf(settings, novel_id, record->value) : std::nullopt;
}

}  // namespace jobhost::artifact
