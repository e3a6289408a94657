#pragma once

#include <openssl/evp.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "catalog/plugin_probe.hpp"

namespace jobhost::catalog {

/// A folder that is gone when the test is.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "jobhost-catalog-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string readBytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
inline void writeBytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}
/// As `install` and rsync do: beside it, then renamed over it.
inline void install(const std::filesystem::path& path, const std::string& bytes) {
  const auto beside = path.parent_path() / ("." + path.filename().string() + ".new");
  writeBytes(beside, bytes);
  std::filesystem::rename(beside, path);
}
inline std::string library(const std::string& name) {
  return readBytes(std::filesystem::path(TINY_PLUGIN_DIR) / (name + ".so"));
}
/// Bytes with each `from` changed to `to`; both have the same length.
inline std::string patched(std::string bytes, const std::string& from, const std::string& to) {
  for (auto at = bytes.find(from); at != std::string::npos; at = bytes.find(from, at + to.size())) {
    bytes.replace(at, from.size(), to);
  }
  return bytes;
}
/// A plugin of this version; `salt` makes other bytes of the same version.
inline std::string tinyPlugin(const std::string& version = "1.0.0", const std::string& salt = {}) {
  return patched(library("tiny_plugin"), "\"1.0.0\"", "\"" + version + "\"") + salt;
}

inline std::string sha256(const std::string& bytes) {
  unsigned char hash[32];
  EVP_Digest(bytes.data(), bytes.size(), hash, nullptr, EVP_sha256(), nullptr);
  std::string text;
  for (const auto byte : hash) {
    constexpr char kHex[] = "0123456789abcdef";
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

/// The index of a host with something in it changed, as somebody could who may write there: its digest fits.
inline void forgeIndex(const std::filesystem::path& file, const std::string& from, const std::string& to) {
  const std::string whole = readBytes(file);
  const auto line = whole.find('\n') + 1;
  std::string body = whole.substr(line);
  for (auto at = body.find(from); at != std::string::npos; at = body.find(from, at + to.size())) {
    body.replace(at, from.size(), to);
  }
  writeBytes(file, whole.substr(0, line - 65) + sha256(body) + "\n" + body);
}

/// Says of each plugin what the test wants, and counts.
class FakeProbe : public PluginProbe {
 public:
  core::Result<ProbeReport> probe(const PluginGeneration& generation) override {
    std::lock_guard lock(mutex_);
    ++probes;
    copies_whole = copies_whole && !readBytes(generation.private_path).empty();
    if (const auto found = failures.find(generation.version); found != failures.end()) return found->second;
    return ProbeReport{generation.job_types, 1, 0, core::Millis(1)};
  }
  void fail(const std::string& version, core::ErrorCode code, const std::string& message) {
    std::lock_guard lock(mutex_);
    failures[version] = {code, message, {}, {}};
  }
  void heal(const std::string& version) {
    std::lock_guard lock(mutex_);
    failures.erase(version);
  }

  int probes = 0;
  bool copies_whole = true;

 private:
  std::mutex mutex_;
  std::map<std::string, core::Error> failures;  ///< by version
};

/// Folders that hold private copies now.
inline std::vector<std::string> copiesIn(const std::filesystem::path& store) {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(store)) {
    if (entry.is_regular_file() && entry.path().extension() == ".so") {
      all.push_back(entry.path().parent_path().filename().string());
    }
  }
  return all;
}

}  // namespace jobhost::catalog
