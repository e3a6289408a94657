#include "metadata/job_comicinfo.hpp"

#include <fcntl.h>

#include <algorithm>

#include "metadata/comic_info.hpp"
#include "metadata/epub_package.hpp"
#include "support/archive/archive.hpp"
#include "support/archive/epub.hpp"
#include "support/files/confined.hpp"
#include "support/job/job_failures.hpp"
#include "support/tags/tags.hpp"

namespace jobhost::metadata {
namespace {

namespace fs = std::filesystem;
using support::Archive;
using support::Failure;
using support::FailureKind;

constexpr std::uint64_t kComicInfoBytes = 1 << 20;

std::string baseName(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);  // npos + 1 is 0
}

// The one nearest to the archive's top; of equals the first.
std::optional<std::size_t> findComicInfo(Archive& archive) {
  std::optional<std::size_t> best;
  std::ptrdiff_t depth = 0;
  const auto& entries = archive.entries();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (support::lowerCase(baseName(entries[i].name)) != "comicinfo.xml") continue;
    const auto slashes = std::count(entries[i].name.begin(), entries[i].name.end(), '/');
    if (best && slashes >= depth) continue;
    best = i;
    depth = slashes;
  }
  return best;
}

Found readFound(Archive& archive) {
  if (const auto at = findComicInfo(archive)) {
    if (auto found = readComicInfo(archive.read(*at, kComicInfoBytes))) return *std::move(found);
    throw Failure(FailureKind::Damaged, "metadata.comic_info", "ComicInfo.xml is no ComicInfo document");
  }
  if (const auto at = support::findEpubPackage(archive)) {
    if (auto found = readEpubPackage(archive.read(*at, support::kEpubDocumentBytes))) return *std::move(found);
    throw Failure(FailureKind::Damaged, "metadata.package", "the EPUB's package document is none");
  }
  throw Failure(FailureKind::NotFound, "metadata.none", "the archive has no ComicInfo.xml and is no EPUB");
}

support::UniqueFd openFile(Job& job) {
  const std::string file = job.params()["file"].str("");
  if (file.empty()) {
    const auto inputs = job.inputs();
    if (inputs.size() != 1) job.params()["file"].fail("is missing (or give one input)");
    support::UniqueFd fd(::open(job.inputPath(inputs.front().name).c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) throw Failure(FailureKind::Io, "file.read", "the input cannot be read");
    return fd;
  }
  const std::string content = job.config()["content_dir"].str("");
  if (content.empty()) {
    throw Error::denied("no content folder is configured (content.dir)").code("metadata.no_content_dir");
  }
  return support::ConfinedRoots({fs::path(content)}).openFile(file);
}

Json run(Job& job) {
  const auto file = openFile(job);
  Archive archive(file.get(), {}, support::stopCheckOf(job));
  Found found = readFound(archive);
  std::erase_if(found.tags, [](const std::string& tag) { return tag.empty() || tag.size() > kMaxTagBytes; });
  if (found.tags.size() > kMaxTags) found.tags.resize(kMaxTags);
  Json result{{"new_tags", support::newTagsText(job.params()["tags"].str(""), found.tags)}};
  if (!found.title.empty()) result.set("title", shortened(std::move(found.title), kMaxTitleBytes));
  if (!found.summary.empty()) result.set("summary", shortened(std::move(found.summary), kMaxSummaryBytes));
  return result;
}

}  // namespace

Json runComicinfo(Job& job) {
  return support::translated(job, run);
}

}  // namespace jobhost::metadata
