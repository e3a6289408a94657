#include <time.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "library/jobs.hpp"
#include "library/names.hpp"
#include "library/scan.hpp"
#include "library/stat_tables.hpp"
#include "support/job/job_failures.hpp"

namespace jobhost::library {
namespace {

constexpr std::size_t kIdsPerRow = 5000;  // a tag of more archives has several rows
constexpr const char* kCurrent = "current";
constexpr std::size_t kIdBytes = 43;  // with quotes and a comma

std::map<std::string, std::vector<std::string>> readTanks(Job& job) {
  std::map<std::string, std::vector<std::string>> tanks;
  job.records("tankoubons").each(RecordQuery::all().limit(1000), [&](const Record& record) {
    auto& members = tanks[record.key];
    for (const Json& id : record.value["archives"].items()) members.emplace_back(id.stringOr(""));
  });
  return tanks;
}

/// Writes one set of tables beside the one readers use, then makes it theirs by one record: they see the old or the new
/// one, whole, and what 100 000 archives need is more than one attempt may write in one transaction.
class Builder {
 public:
  explicit Builder(Job& job) : job_(job), stats_(job.records("stats")), current_(stats_.get(kCurrent)) {}

  void run() {
    removeOld();
    archives_ = Shelf(job_).archives();
    std::erase_if(archives_, [](const ArchiveEntry& entry) { return entry.file.empty(); });
    const auto tables = StatTables::make(archives_, readTanks(job_), [this] { job_.check(); });
    writeTables(tables);
    syncUrls(tables);
  }

 private:
  [[nodiscard]] std::int64_t generation() const { return current_ ? current_->value["generation"].intOr(0) : 0; }
  static std::string prefixOf(std::int64_t generation) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "g%010lld", static_cast<long long>(generation));
    return text.data();
  }

  // Of the generations before the current one, and of runs that did not come to their end.
  void removeOld() {
    const std::string keep = prefixOf(generation()) + ".";
    std::vector<std::string> old;
    stats_.each(RecordQuery::all("g").withoutValues().limit(1000), [&](const Record& record) {
      if (!record.key.starts_with(keep)) old.push_back(record.key);
    });
    DelOptions now;
    now.now = true;
    for (const auto& key : old) stats_.del(key, now);
  }

  void writeTables(const StatTables& tables) {
    PutOptions now;
    now.now = true;
    ChunkWriter writer(prefixOf(generation() + 1), [&](const std::string& key, const Json& value) {
      job_.progress(0, 0, key);
      stats_.put(key, value, now);
    });
    Json chunks = Json::object();
    chunks.set("tags", writeTags(writer, tables));
    writer.begin("cloud");
    for (const auto& [tag, count] : tables.cloud) writer.row(tag, Json::array({tag, count}), tag.size() + 16);
    chunks.set("cloud", writer.end());
    chunks.set("untagged", writeIds(writer, "untagged", tables.untagged));
    chunks.set("new", writeIds(writer, "new", tables.fresh));
    writer.begin("titles");
    for (const auto& [title, at] : tables.titles)
      writer.row(title, Json::array({title, archives_[at].id}), title.size() + kIdBytes + 6);
    chunks.set("titles", writer.end());
    writer.begin("urls");
    for (const auto& [url, at] : tables.urls)
      writer.row(url, Json::array({url, archives_[at].id}), url.size() + kIdBytes + 6);
    chunks.set("urls", writer.end());
    writer.begin("visible");
    for (const auto& id : tables.visible) writer.row(id, id, id.size() + 3);
    chunks.set("visible", writer.end());
    makeCurrent(tables, std::move(chunks));
  }

  Json writeTags(ChunkWriter& writer, const StatTables& tables) {
    writer.begin("tags");
    for (const auto& [tag, members] : tables.tags) {
      for (std::size_t from = 0; from < members.size(); from += kIdsPerRow) {
        Json ids = Json::array();
        for (std::size_t i = from; i < std::min(members.size(), from + kIdsPerRow); ++i)
          ids.push(archives_[members[i]].id);
        const std::size_t bytes = tag.size() + ids.size() * kIdBytes + 16;
        writer.row(tag, Json::array({tag, std::move(ids)}), bytes);
      }
    }
    return writer.end();
  }

  Json writeIds(ChunkWriter& writer, const char* table, const std::vector<std::size_t>& positions) {
    writer.begin(table);
    for (const std::size_t at : positions) writer.row(archives_[at].id, archives_[at].id, kIdBytes);
    return writer.end();
  }

  // Another run that was faster is newer or as good: its tables stay.
  void makeCurrent(const StatTables& tables, Json chunks) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    PutOptions options;
    options.now = true;
    options.expected = current_ ? current_->version : std::int64_t{JH_VERSION_NONE};
    const Json value{
        {"generation", generation() + 1}, {"built", std::int64_t{now.tv_sec}},  {"archives", archives_.size()},
        {"tags", tables.tags.size()},     {"untagged", tables.untagged.size()}, {"new", tables.fresh.size()},
        {"urls", tables.urls.size()},     {"visible", tables.visible.size()},   {"chunks", std::move(chunks)}};
    try {
      stats_.put(kCurrent, value, options);
    } catch (const Error& error) {
      if (error.code() != "conflict") throw;
      job_.log("another run was faster; its tables stay");
    }
  }

  // The URL map that downloads ask: what archives say of themselves counts.
  void syncUrls(const StatTables& tables) {
    const Records urls = job_.records("urls");
    std::map<std::string, std::string> known;  // key → id
    urls.each(RecordQuery::all().limit(1000), [&](const Record& record) {
      known[record.key] = std::string(record.value["id"].stringOr(""));
      job_.check();
    });
    PutOptions put;
    put.now = true;
    for (const auto& [url, at] : tables.urls) {
      const std::string key = urlKey(url);
      const auto before = known.find(key);
      if (before == known.end() || before->second != archives_[at].id)
        urls.put(key, Json{{"id", archives_[at].id}, {"url", url}}, put);
      if (before != known.end()) known.erase(before);
    }
    DelOptions del;
    del.now = true;
    const Shelf shelf(job_);
    for (const auto& [key, id] : known) {
      // An archive that was taken in since the tables were made is not in them.
      if (const auto archive = shelf.archive(id); archive && hasSource(*archive, key)) continue;
      urls.del(key, del);
    }
  }

  static bool hasSource(const Json& archive, const std::string& key) {
    const std::vector<ArchiveEntry> one{Shelf::entryOf("", archive)};
    if (one.front().file.empty()) return false;
    for (const auto& [url, at] : StatTables::make(one, {}, [] {}).urls) {
      if (urlKey(url) == key) return true;
    }
    return false;
  }

  Job& job_;
  const Records stats_;
  const std::optional<Record> current_;
  std::vector<ArchiveEntry> archives_;
};

Json run(Job& job) {
  scanLibrary(job, readSettings(job));
  Builder(job).run();
  return {};
}

}  // namespace

Json runBuildStatHashes(Job& job) {
  return support::translated(job, run);
}

}  // namespace jobhost::library
