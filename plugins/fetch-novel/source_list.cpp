#include "fetch-novel/source_list.hpp"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <set>

#include "fetch-novel/digest.hpp"
#include "fetch-novel/page.hpp"
#include "fetch-novel/shipped_specs.hpp"
#include "fetch-novel/url.hpp"

namespace jobhost::novel {
namespace {

constexpr std::size_t kLoggedProblems = 100;
constexpr const char* kStampKey = "sources:stamp";

const std::string& shippedStamp() {
  static const std::string stamp = [] {
    std::string all;
    for (const ShippedSpec& spec : shippedSpecs()) all += std::string(spec.path) + "\n" + std::string(spec.text);
    return hexDigest(all);
  }();
  return stamp;
}

Json sourceItem(const Spec& spec) {
  const std::string& reason = !spec.disabled.empty() ? spec.disabled : spec.refused;
  return Json{{"url", spec.base_url},
              {"domain", spec.host},
              {"version", crawlerVersion(&spec)},
              {"has_manga", spec.has_manga},
              {"has_mtl", spec.has_mtl},
              {"language", spec.language},
              {"is_disabled", !reason.empty()},
              {"disable_reason", reason.empty() ? Json() : Json(reason)},
              {"can_search", spec.can_search},
              {"can_login", false},
              {"total_commits", 0},
              {"contributors", Json::array()}};
}

}  // namespace

std::vector<std::string> ShippedSpecs::list() const {
  std::vector<std::string> out;
  for (const ShippedSpec& spec : shippedSpecs()) out.emplace_back(spec.path);
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<std::string> ShippedSpecs::read(const std::string& path) const {
  for (const ShippedSpec& spec : shippedSpecs()) {
    if (spec.path == path) return std::string(spec.text);
  }
  return std::nullopt;
}

std::vector<std::string> LayeredSpecs::list() const {
  std::vector<std::string> out = upper_.list();
  std::set<std::string, std::less<>> hosts;
  const std::set<std::string> paths(out.begin(), out.end());
  for (const std::string& path : out) {
    if (!path.starts_with("base/")) hosts.emplace(hostOfFile(path));
  }
  for (const std::string& path : lower_.list()) {
    const bool covered = path.starts_with("base/") ? paths.contains(path) : hosts.contains(hostOfFile(path));
    if (!covered) out.push_back(path);
  }
  return out;
}

std::optional<std::string> LayeredSpecs::read(const std::string& path) const {
  auto text = upper_.read(path);
  return text ? text : lower_.read(path);
}

std::shared_ptr<const SourceList> loadSources(const Settings& settings) {
  static std::mutex mutex;
  static std::shared_ptr<const SourceList> kept;
  const SpecFolder folder(settings.sources.string());
  const std::string stamp =
      hexDigest(shippedStamp() + "\n" + (settings.sources.empty() ? std::string() : folder.stamp()));
  const std::lock_guard lock(mutex);
  if (kept != nullptr && kept->stamp == stamp) return kept;
  const ShippedSpecs shipped;
  auto fresh = std::make_shared<SourceList>();
  fresh->stamp = stamp;
  fresh->set = settings.sources.empty() ? SpecSet::load(shipped) : SpecSet::load(LayeredSpecs(folder, shipped));
  kept = fresh;
  return kept;
}

int storeSources(Job& job, const SourceList& list, bool always) {
  const Keys kv = job.kv();
  const auto before = kv.get(kStampKey);
  if (!always && before && before->bytes == list.stamp) return 0;
  const Records sources = job.records("sources");
  std::set<std::string> gone;
  std::map<std::string, std::string> stored;
  sources.each(RecordQuery::all().limit(1000), [&](const Record& one) {
    stored[one.key] = one.value.dump();
    if (!list.set.hosts().contains(one.key)) gone.insert(one.key);
  });
  int changed = 0;
  for (const auto& [host, spec] : list.set.hosts()) {
    const Json item = sourceItem(*spec);
    if (const auto found = stored.find(host); found != stored.end() && found->second == item.dump()) continue;
    sources.put(host, item, {.parent = {}, .sort = {}, .expected = {}, .now = true});
    ++changed;
  }
  for (const std::string& host : gone) {
    sources.del(host, {.expected = {}, .now = true});
    ++changed;
  }
  std::size_t said = 0;
  for (const SpecProblem& problem : list.set.problems()) {
    if (++said > kLoggedProblems) break;
    job.warn("source spec: " + problem.text());
  }
  kv.put(kStampKey, list.stamp, {.ttl_ms = 0, .expected = {}, .now = true});
  return changed;
}

std::shared_ptr<const Spec> sourceFor(const SourceList& list, const Settings& settings, std::string_view url) {
  const std::string host = sourceHost(url);
  auto spec = list.set.find(url);
  if (spec == nullptr) {
    if (settings.generic && !host.empty()) return nullptr;
    throw CrawlError(CrawlError::Kind::Unable,
                     "No crawler found for the domain: " + (host.empty() ? std::string(url) : host));
  }
  const std::string& reason = !spec->disabled.empty() ? spec->disabled : spec->refused;
  if (!reason.empty()) throw CrawlError(CrawlError::Kind::Unable, "The requested domain is rejected: " + reason);
  return spec;
}

int crawlerVersion(const Spec* spec) {
  if (spec == nullptr) return 1;
  int out = 0;
  std::from_chars(spec->version.data(), spec->version.data() + std::min<std::size_t>(spec->version.size(), 7), out, 16);
  return std::max(out, 2);
}

}  // namespace jobhost::novel
