#include <fcntl.h>

#include <algorithm>
#include <charconv>

#include "library/duplicates.hpp"
#include "library/jobs.hpp"
#include "library/scan.hpp"
#include "support/files/confined.hpp"
#include "support/image/image_engine.hpp"
#include "support/image/perceptual_hash.hpp"
#include "support/job/job_failures.hpp"

namespace jobhost::library {
namespace {

namespace fs = std::filesystem;
using support::Failure;

constexpr std::size_t kStagedGroups = 5000;        // more are written at once: an attempt's writes are bounded
constexpr std::size_t kMaxGroupArchives = 20'000;  // of which a record's bounds leave room for the ids

int readThreshold(const Value& value, int most) {
  std::int64_t number = 0;
  if (value.json().isString()) {
    const std::string_view text = value.json().stringOr("");
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) number = -1;
  } else if (value.present()) {
    number = value.json().intOr(-1);
  }
  if (number < 0) value.fail("must be a whole number, 0 or more");
  return static_cast<int>(std::min<std::int64_t>(number, most));
}

// Of the cover that was made, which is small and a plain JPEG; else of the archive's first page.
std::optional<std::uint64_t> hashCover(const Settings& settings, const ArchiveEntry& entry,
                                       const support::StopCheck& stop) {
  try {
    const fs::path cover = settings.thumb_dir / entry.id.substr(0, 2) / (entry.id + ".jpg");
    const support::UniqueFd made(::open(cover.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (made) return support::perceptualHash({made.get(), {}}, settings.image, stop);
  } catch (const Failure&) {
    // A broken cover: the page it was made from may do.
  }
  try {
    const auto file = support::ConfinedRoots({settings.content_dir}).openFile(entry.file);
    if (support::kindOf({file.get(), {}}) == support::SourceKind::Pdf)
      return support::perceptualHash({file.get(), {}}, settings.image, stop);
    support::Archive archive(file.get(), settings.archive, stop);
    if (archive.pages().empty()) return std::nullopt;
    const std::string page = archive.read(archive.pages().front());
    return support::perceptualHash({-1, page}, settings.image, stop);
  } catch (const Failure&) {
    return std::nullopt;
  }
}

// Computes the hashes that are missing or belong to a cover that was replaced, and keeps them in the records.
void addPerceptualHashes(Job& job, const Settings& settings, std::vector<ArchiveEntry>& all) {
  std::vector<ArchiveEntry*> wanted;
  for (auto& entry : all) {
    if (entry.phash.empty() || entry.phash_of != entry.thumbhash) wanted.push_back(&entry);
  }
  const auto stop = support::stopCheckOf(job);
  const Shelf shelf(job);
  support::setThreadsPerImage(1);
  inParallel(
      wanted.size(), settings.threads,
      [&](std::size_t i) {
        ArchiveEntry& entry = *wanted[i];
        const auto hash = hashCover(settings, entry, stop);
        entry.phash = hash ? BitHash{*hash}.text() : "";
        if (!hash) return;
        shelf.update("archives", entry.id, [&](Json& value) {
          if (!value["added"].isInt()) return false;  // gone meanwhile: no record is made of a hash alone
          value.set("phash", entry.phash).set("phash_of", entry.thumbhash);
          return true;
        });
      },
      [&](std::size_t n) { job.progress(static_cast<double>(n), static_cast<double>(wanted.size()), "covers"); });
  support::setThreadsPerImage(0);
}

struct Found {
  std::vector<std::vector<std::string>> groups;  ///< ids, sorted
  std::size_t compared = 0;                      ///< archives that have a hash
};

template <class Hash>
Found group(Job& job, const std::vector<ArchiveEntry>& all, std::string ArchiveEntry::*text, int threshold) {
  std::vector<Hash> hashes;
  std::vector<const ArchiveEntry*> owners;
  for (const auto& entry : all) {
    const auto hash = Hash::parse(entry.*text);
    if (!hash) continue;
    hashes.push_back(*hash);
    owners.push_back(&entry);
  }
  Found found;
  found.compared = hashes.size();
  job.progress(0, 0, "comparing");
  for (const auto& members : groupAlike(hashes, threshold, [&] { job.check(); })) {
    std::vector<std::string> ids;
    for (const std::size_t member : members) ids.push_back(owners[member]->id);
    std::sort(ids.begin(), ids.end());
    found.groups.push_back(std::move(ids));
  }
  return found;
}

// Old groups stay, as upstream has it: whoever shows them clears them.
void keep(Job& job, const std::vector<std::vector<std::string>>& groups) {
  const Records records = job.records("duplicates");
  PutOptions options;
  options.now = groups.size() > kStagedGroups;
  double done = 0;
  for (const auto& ids : groups) {
    Json list = Json::array();
    for (std::size_t i = 0; i < ids.size() && i < kMaxGroupArchives; ++i) list.push(ids[i]);
    Json value{{"ids", std::move(list)}};
    if (ids.size() > kMaxGroupArchives) value.set("total", ids.size());
    records.put(groupKey(ids), value, options);
    job.progress(++done, static_cast<double>(groups.size()), "groups");
  }
}

Json run(Job& job) {
  const Value params = job.params();
  const bool perceptual = params["method"].oneOf({"hash", "perceptual"}, "hash") == "perceptual";
  const int threshold = readThreshold(params["threshold"], perceptual ? BitHash::kUnits : HexHash::kUnits);
  const Settings settings = readSettings(job);
  scanLibrary(job, settings);
  std::vector<ArchiveEntry> all = Shelf(job).archives();
  std::erase_if(all, [](const ArchiveEntry& entry) { return entry.file.empty(); });
  if (perceptual) addPerceptualHashes(job, settings, all);
  const Found found = perceptual ? group<BitHash>(job, all, &ArchiveEntry::phash, threshold)
                                 : group<HexHash>(job, all, &ArchiveEntry::thumbhash, threshold);
  keep(job, found.groups);
  // As text: two client libraries take notes for text alone.
  job.note("total", std::to_string(all.size()));
  job.note("compared", std::to_string(found.compared));
  job.note("groups", std::to_string(found.groups.size()));
  return Json::object();
}

}  // namespace

Json runFindDuplicates(Job& job) {
  return support::translated(job, run);
}

}  // namespace jobhost::library
