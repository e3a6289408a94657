#include "catalog/plugin_index.hpp"

#include <Poco/Crypto/DigestEngine.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "catalog/json_document.hpp"
#include "catalog/replace_file.hpp"
#include "telemetry/log.hpp"

namespace jobhost::catalog {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kHead = "jobhost plugin index 1 ";  // the number changes with what an entry means

std::string digestOf(std::string_view text) {
  Poco::Crypto::DigestEngine digest("SHA256");
  digest.update(text.data(), text.size());
  return Poco::DigestEngine::digestToHex(digest.digest());
}

std::string describe(const HostAbi& host) {
  std::string text = host.host_version + " " + std::to_string(host.major) + "." + std::to_string(host.minor);
  for (const auto& extension : host.extensions) text += " " + extension;
  return text;
}

std::string listOf(const std::vector<std::string>& texts) {
  std::string list;
  for (const auto& text : texts) list += (list.empty() ? "" : ",") + quoteJson(text);
  return "[" + list + "]";
}

/// The members of an array in order; each must be a string.
bool readTexts(std::optional<JsonValue> list, std::vector<std::string>& into) {
  if (!list || !list->is(JsonKind::Array)) return false;
  bool good = true;
  list->elements([&](JsonValue one) {
    good = good && one.is(JsonKind::String);
    if (good) into.emplace_back(one.string());
  });
  return good;
}

std::string textOfPermissions(const Permissions& wanted) {
  return "[" + listOf(wanted.net) + "," + listOf(wanted.exec) + "," + listOf(wanted.secrets) + "," +
         listOf(wanted.children) + "," + listOf(wanted.config) + "," + listOf(wanted.records_read) + "," +
         listOf(wanted.records_write) + "," + (wanted.kv ? "true" : "false") + "]";
}

bool readPermissions(std::optional<JsonValue> value, Permissions& into) {
  if (!value || value->size() != 8) return false;
  std::vector<std::string>* const lists[] = {&into.net,    &into.exec,         &into.secrets,      &into.children,
                                             &into.config, &into.records_read, &into.records_write};
  std::size_t at = 0;
  bool good = true;
  value->elements([&](JsonValue one) {
    if (at < std::size(lists)) {
      good = good && readTexts(one, *lists[at]);
    } else {
      good = good && one.isBool();
      into.kv = one.boolean();
    }
    ++at;
  });
  return good;
}

std::string textOfPart(const fs::path& path, const FileStamp& stamp, const std::string& sha256) {
  std::string text = "[" + quoteJson(path.string()) + "," + quoteJson(sha256);
  // The unsigned ones as the signed numbers of the same bits: JSON readers have those without loss.
  for (const auto number : {static_cast<std::int64_t>(stamp.device), static_cast<std::int64_t>(stamp.inode), stamp.size,
                            stamp.modified_ns, stamp.changed_ns}) {
    text += "," + std::to_string(number);
  }
  return text + "]";
}

bool readPart(JsonValue value, PluginIndex::Entry& entry) {
  if (value.size() != 7) return false;
  std::vector<std::int64_t> numbers;
  std::vector<std::string> texts;
  value.elements([&](JsonValue one) {
    if (one.is(JsonKind::String)) texts.emplace_back(one.string());
    if (one.is(JsonKind::Number) && one.number().is_int) numbers.push_back(one.number().integer);
  });
  if (texts.size() != 2 || numbers.size() != 5) return false;
  entry.parts.emplace_back(texts[0]);
  entry.hashes.push_back(std::move(texts[1]));
  entry.stamps.push_back({numbers[2], numbers[3], numbers[4], static_cast<std::uint64_t>(numbers[1]),
                          static_cast<std::uint64_t>(numbers[0])});
  return true;
}

bool readEntry(JsonValue value, PluginIndex::Entry& entry) {
  const auto id = value.find("id");
  const auto version = value.find("version");
  const auto parts = value.find("parts");
  if (!id || !id->is(JsonKind::String) || !version || !version->is(JsonKind::String)) return false;
  if (!parts || !parts->is(JsonKind::Array) || parts->size() == 0) return false;
  entry.manifest.id = id->string();
  entry.manifest.version = version->string();
  bool good = readTexts(value.find("types"), entry.manifest.job_types);
  good = good && readPermissions(value.find("permissions"), entry.manifest.permissions);
  parts->elements([&](JsonValue part) { good = good && readPart(part, entry); });
  return good;
}

}  // namespace

PluginIndex::PluginIndex(fs::path file, const HostAbi& host) : file_(std::move(file)), host_(describe(host)) {}

void PluginIndex::load() {
  entries_.clear();
  changed_ = false;
  if (file_.empty()) return;
  std::error_code error;
  const auto bytes = fs::file_size(file_, error);
  if (error) return;
  std::string text;
  if (bytes <= kMaxBytes) {
    std::ifstream in(file_, std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  const std::string_view all = text;
  const auto line = all.find('\n');
  const bool whole = line != std::string_view::npos && all.starts_with(kHead) &&
                     all.substr(kHead.size(), line - kHead.size()) == digestOf(all.substr(line + 1));
  if (whole && readBody(all.substr(line + 1))) return;
  entries_.clear();
  changed_ = true;
  telemetry::log("catalog").info("plugin index not used, all plugin files are read file={}", file_.string());
}

bool PluginIndex::readBody(std::string_view text) {
  const auto document = JsonDocument::parse(text, {.max_bytes = kMaxBytes, .max_depth = 8});
  if (!document) return false;
  const auto host = document->root().find("host");
  const auto files = document->root().find("files");
  if (!host || host->string() != host_ || !files || files->size() > kMaxEntries) return false;
  bool good = true;
  entries_.reserve(files->size());
  files->elements([&](JsonValue one) {
    Entry entry;
    good = good && readEntry(one, entry);
    if (!good) return;
    std::string key = entry.parts.front().string();
    entries_.insert_or_assign(std::move(key), std::move(entry));
  });
  return good;
}

std::string PluginIndex::body() const {
  std::vector<const Entry*> all;
  for (const auto& [path, entry] : entries_) all.push_back(&entry);
  std::sort(all.begin(), all.end(), [](const Entry* a, const Entry* b) { return a->parts < b->parts; });
  std::string text = "{\"host\":" + quoteJson(host_) + ",\"files\":[";
  const char* comma = "\n{";
  for (const Entry* entry : all) {
    text += comma + std::string("\"id\":") + quoteJson(entry->manifest.id) +
            ",\"version\":" + quoteJson(entry->manifest.version) + ",\"types\":" + listOf(entry->manifest.job_types) +
            ",\"permissions\":" + textOfPermissions(entry->manifest.permissions) + ",\"parts\":[";
    for (std::size_t i = 0; i < entry->parts.size(); ++i) {
      text += (i == 0 ? "" : ",") + textOfPart(entry->parts[i], entry->stamps[i], entry->hashes[i]);
    }
    text += "]}";
    comma = ",\n{";
  }
  return text + "]}\n";
}

core::Result<void> PluginIndex::save() {
  if (!changed_ || file_.empty()) return {};
  const std::string text = body();
  const std::string whole = std::string(kHead) + digestOf(text) + "\n" + text;
  if (whole.size() > kMaxBytes) {
    return core::Error{core::ErrorCode::Unavailable, "the plugin index is not kept: it is larger than " +
                                                         std::to_string(kMaxBytes) + " bytes", file_.string(), {}};
  }
  // A power cut may leave half of it: the digest tells.
  if (const auto kept = replaceFile(file_, whole, Durable::No); !kept) {
    return core::Error{core::ErrorCode::Unavailable, "the plugin index cannot be kept: " + kept.error().message,
                       kept.error().detail, {}};
  }
  changed_ = false;
  return {};
}

const PluginIndex::Entry* PluginIndex::find(const PluginPackage& package, const std::vector<FileStamp>& stamps) const {
  const auto known = entries_.find(package.parts().front().path.string());
  if (known == entries_.end() || known->second.stamps != stamps) return nullptr;
  return known->second.parts == package.paths() ? &known->second : nullptr;
}

void PluginIndex::keep(const PluginPackage& package, const std::vector<FileStamp>& stamps,
                       const ManifestSummary& manifest) {
  std::string key = package.parts().front().path.string();
  if (file_.empty() || (entries_.size() >= kMaxEntries && !entries_.contains(key))) return;
  entries_.insert_or_assign(std::move(key), Entry{package.paths(), stamps, package.hashes(), manifest});
  changed_ = true;
}

void PluginIndex::forget(const fs::path& file) {
  changed_ = entries_.erase(file.string()) > 0 || changed_;
}

void PluginIndex::forgetIf(const std::function<bool(const fs::path&)>& gone) {
  changed_ = std::erase_if(entries_, [&](const auto& entry) { return gone(entry.second.parts.front()); }) > 0 || changed_;
}

bool olderThan(const std::vector<FileStamp>& stamps, core::Instant now, core::Millis least) {
  std::int64_t newest_ns = 0;
  for (const FileStamp& stamp : stamps) newest_ns = std::max({newest_ns, stamp.modified_ns, stamp.changed_ns});
  return core::toMicros(now) * 1000 - newest_ns >= std::chrono::nanoseconds(least).count();
}

}  // namespace jobhost::catalog
