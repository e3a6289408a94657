#pragma once

#include <jobhost/plugin.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fetch-novel/settings.hpp"
#include "fetch-novel/spec_set.hpp"

namespace jobhost::novel {

/// The specs that come with the plugin: compiled in, the same paths as in a folder.
class ShippedSpecs : public SpecFiles {
 public:
  [[nodiscard]] std::vector<std::string> list() const override;
  [[nodiscard]] std::optional<std::string> read(const std::string& path) const override;
};

/// An operator's folder over what is shipped: of two files for the same host, or with the same path, the operator's.
class LayeredSpecs : public SpecFiles {
 public:
  LayeredSpecs(const SpecFiles& upper, const SpecFiles& lower) : upper_(upper), lower_(lower) {}
  [[nodiscard]] std::vector<std::string> list() const override;
  [[nodiscard]] std::optional<std::string> read(const std::string& path) const override;

 private:
  const SpecFiles& upper_;
  const SpecFiles& lower_;
};

/// All sources as they are now. Immutable.
struct SourceList {
  SpecSet set;
  std::string stamp;  ///< changes when a spec does
};

/// Looks at the folder's files and reads them when they changed since this process did. Any thread.
std::shared_ptr<const SourceList> loadSources(const Settings& settings);

/// Brings the collection `sources` in line with the list, unless it is: stored at once. Says in the job's log what is
/// wrong with specs when it changed something. `always`: also when nothing changed. Answers how many records changed.
int storeSources(Job& job, const SourceList& list, bool always = false);

/// The spec for an address; nullptr: none, to be read by guessing. Throws CrawlError Unable where there is no way to
/// read the site: "No crawler found for the domain: example.org", "The requested domain is rejected: closed".
std::shared_ptr<const Spec> sourceFor(const SourceList& list, const Settings& settings, std::string_view url);

/// A number that changes with the spec; 1: guessing.
int crawlerVersion(const Spec* spec);

}  // namespace jobhost::novel
