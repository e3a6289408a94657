#pragma once

#include <jobhost/plugin.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "library/shelf.hpp"

namespace jobhost::library {

/// The tables of build_stat_hashes, made from all archives in memory. Positions are into the archives given.
struct StatTables {
  std::map<std::string, std::vector<std::size_t>> tags;     ///< lower case → who has it
  std::vector<std::pair<std::string, std::size_t>> cloud;   ///< tag, how many; the most frequent first, then by tag
  std::vector<std::size_t> untagged;                        ///< none but of namespaces that say nothing of the content
  std::vector<std::size_t> fresh;                           ///< nobody has read them yet
  std::vector<std::pair<std::string, std::size_t>> titles;  ///< lower case, sorted; equal ones by id
  std::map<std::string, std::size_t> urls;                  ///< normalised source → archive
  std::vector<std::string> visible;                         ///< tankoubons, and archives that are in none; sorted

  /// `tanks`: the ids of tankoubons and of their archives. Calls `step` often.
  static StatTables make(const std::vector<ArchiveEntry>& archives,
                         const std::map<std::string, std::vector<std::string>>& tanks,
                         const std::function<void()>& step);
};

/// Cuts one table into records of a bounded size. Rows are JSON values; a chunk is {"rows": […]}.
class ChunkWriter {
 public:
  /// `put` stores a chunk under a key "<generation>.<table>.000001"; `first` is what the first row begins with.
  using Put = std::function<void(const std::string& key, const Json& value)>;

  ChunkWriter(std::string generation, Put put) : generation_(std::move(generation)), put_(std::move(put)) {}

  void begin(const std::string& table);
  /// A row of about `bytes`; `name` is what readers look rows up by.
  void row(const std::string& name, Json value, std::size_t bytes);
  /// The table's chunks in order: [{"key", "first", "rows"}…].
  Json end();

 private:
  void flush();

  const std::string generation_;
  const Put put_;
  std::string table_;
  Json rows_ = Json::array();
  std::size_t bytes_ = 0;
  std::string first_;
  Json chunks_ = Json::array();
};

}  // namespace jobhost::library
