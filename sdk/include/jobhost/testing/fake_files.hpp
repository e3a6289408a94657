// jobhost SDK, for tests: a job's outputs, inputs and temp folder. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "../abi.h"
#include "../json.hpp"

namespace jobhost::testing::detail {

/// An answer to the plugin: a code, and the sentence last_error() gives.
struct Reply {
  jh_result code = JH_OK;
  std::string why;
};

/// A new folder that is gone when the object is.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::random_device random;
    for (int tries = 0; tries < 100; ++tries) {
      path_ = std::filesystem::temp_directory_path() /
              ("jobhost-fake-" + std::to_string(random()) + std::to_string(random()));
      if (std::filesystem::create_directory(path_)) return;
    }
    throw std::runtime_error("no temporary folder could be made");
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Why `name` cannot name an output, by the rules of jobhost.output/1; empty: it can.
inline std::string outputNameProblem(std::string_view name) {
  if (name.empty() || name.size() > 1024) return "the name is empty or longer than 1024 bytes";
  for (std::size_t i = 0; i < name.size();) {
    const std::size_t length = jobhost::detail::utf8Length(name, i);
    if (length == 0) return "the name is not UTF-8";
    if (static_cast<unsigned char>(name[i]) < 0x20 || name[i] == 0x7f) return "the name has a control character";
    if (name[i] == '\\') return "the name has a backslash";
    i += length;
  }
  int parts = 0;
  for (std::string_view rest = name;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.empty()) return "the name is absolute or a part of it is empty";
    if (part == "." || part == "..") return "the name has a '" + std::string(part) + "' part";
    if (part.substr(0, 4) == ".jh-") return "a part of the name begins with '.jh-'";
    if (part.size() > 255 || ++parts > 8) return "the name has a part over 255 bytes or more than 8 parts";
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

/// The files of one job in a scratch folder. Not thread-safe: the host's lock is held.
class FakeFiles {
 public:
  void addInput(const std::string& name, const std::filesystem::path& path, const std::string& media_type) {
    inputs_[name] = {std::filesystem::absolute(path).string(), media_type};
  }
  void addInputBytes(const std::string& name, std::string_view bytes, const std::string& media_type) {
    if (const auto problem = outputNameProblem(name); !problem.empty()) {
      throw std::invalid_argument("input \"" + name + "\": " + problem);
    }
    const auto path = scratch_.path() / "in" / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    addInput(name, path, media_type);
  }
  void setLimits(std::uint64_t bytes, std::size_t files) {
    max_bytes_ = bytes;
    max_files_ = files;
  }

  /// A folder for the plugin itself, where the test named none.
  std::string pluginDir() { return folder("own"); }
  void begin() { ++attempt_; }
  std::string outputDir() { return folder("out-" + std::to_string(attempt_)); }
  std::string tempDir() { return folder("tmp-" + std::to_string(attempt_)); }

  Reply create(std::string_view name, std::string_view media_type, std::uintptr_t& handle) {
    if (auto problem = outputNameProblem(name); !problem.empty()) return {JH_E_INVALID, std::move(problem)};
    if (outputs_.size() >= max_files_) return {JH_E_LIMIT, "more than " + std::to_string(max_files_) + " outputs"};
    handle = nextHandle();
    Open& open = open_[handle];
    open.name = std::string(name);
    open.media_type = std::string(media_type);
    return {};
  }
  Reply write(std::uintptr_t handle, const void* data, std::size_t size) {
    const auto found = open_.find(handle);
    if (found == open_.end()) return misuse("the output");
    if (data == nullptr && size > 0) return {JH_E_INVALID, "data is NULL"};
    if (size > max_bytes_ || bytes_ > max_bytes_ - size) return tooMuch();
    bytes_ += size;
    found->second.bytes.append(static_cast<const char*>(data), size);
    return {};
  }
  Reply commit(std::uintptr_t handle) {
    const auto found = open_.find(handle);
    if (found == open_.end()) return misuse("the output");
    const Open open = std::move(found->second);
    open_.erase(found);
    const auto path = std::filesystem::path(outputDir()) / open.name;
    std::error_code wrong;
    std::filesystem::create_directories(path.parent_path(), wrong);
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(open.bytes.data(), static_cast<std::streamsize>(open.bytes.size()));
    if (!file.flush()) return {JH_E_IO, "output " + open.name + " cannot be put in place"};
    outputs_[open.name] = open.media_type;
    return {};
  }
  Reply abort(std::uintptr_t handle) {
    const auto found = open_.find(handle);
    if (found == open_.end()) return misuse("the output");
    bytes_ -= found->second.bytes.size();
    open_.erase(found);
    return {};
  }
  Reply publish(std::string_view name, std::string_view media_type) {
    if (auto problem = outputNameProblem(name); !problem.empty()) return {JH_E_INVALID, std::move(problem)};
    const auto path = std::filesystem::path(outputDir()) / std::string(name);
    const auto status = std::filesystem::symlink_status(path);
    if (!std::filesystem::exists(status)) {
      return {JH_E_NOT_FOUND, "there is no file " + std::string(name) + " in the output folder"};
    }
    if (!std::filesystem::is_regular_file(status)) {
      return {JH_E_INVALID, std::string(name) + " is not a regular file"};
    }
    if (outputs_.size() >= max_files_) return {JH_E_LIMIT, "more than " + std::to_string(max_files_) + " outputs"};
    const auto size = static_cast<std::uint64_t>(std::filesystem::file_size(path));
    if (size > max_bytes_ || bytes_ > max_bytes_ - size) return tooMuch();
    bytes_ += size;
    outputs_[std::string(name)] = std::string(media_type);
    return {};
  }
  Reply reserve(std::int64_t bytes) const {
    if (bytes < 0) return {JH_E_INVALID, "a negative number of bytes"};
    const auto wanted = static_cast<std::uint64_t>(bytes);
    return wanted > max_bytes_ || bytes_ > max_bytes_ - wanted ? tooMuch() : Reply{};
  }

  Json listInputs() const {
    Json all = Json::array();
    for (const auto& [name, input] : inputs_) {
      std::error_code wrong;
      const auto size = std::filesystem::file_size(input.path, wrong);
      all.push(Json{{"name", name}, {"media_type", input.media_type}, {"size_bytes", wrong ? 0 : size}});
    }
    return all;
  }
  Reply inputPath(std::string_view name, std::string& path) const {
    const auto found = inputs_.find(std::string(name));
    if (found == inputs_.end()) return {JH_E_NOT_FOUND, "the job has no input of that name"};
    path = found->second.path;
    return {};
  }
  Reply openInput(std::string_view name, std::uintptr_t& handle) {
    std::string path;
    if (auto found = inputPath(name, path); found.code != JH_OK) return found;
    auto file = std::make_unique<std::ifstream>(path, std::ios::binary);
    if (!*file) return {JH_E_IO, "the input cannot be opened"};
    handle = nextHandle();
    reading_[handle] = {std::move(file), path};
    return {};
  }
  Reply readInput(std::uintptr_t handle, void* buffer, std::size_t size, std::size_t& got) {
    const auto found = reading_.find(handle);
    if (found == reading_.end()) return misuse("the input");
    found->second.file->read(static_cast<char*>(buffer), static_cast<std::streamsize>(size));
    got = static_cast<std::size_t>(found->second.file->gcount());
    return found->second.file->bad() ? Reply{JH_E_IO, "the input cannot be read"} : Reply{};
  }
  Reply inputSize(std::uintptr_t handle, std::int64_t& bytes) const {
    const auto found = reading_.find(handle);
    if (found == reading_.end()) return misuse("the input");
    bytes = static_cast<std::int64_t>(std::filesystem::file_size(found->second.path));
    return {};
  }
  Reply closeInput(std::uintptr_t handle) { return reading_.erase(handle) > 0 ? Reply{} : misuse("the input"); }

  /// Ends the attempt: what was committed, or nothing unless it succeeded; complains of what was left open.
  void finish(bool succeeded, std::map<std::string, std::string>& outputs,
              std::map<std::string, std::string>& media_types, std::vector<std::string>& complaints) {
    for (const auto& [handle, open] : open_) complaints.push_back("output " + open.name + " was left open");
    if (!reading_.empty()) complaints.push_back(std::to_string(reading_.size()) + " inputs were left open");
    const auto dir = scratch_.path() / ("out-" + std::to_string(attempt_));
    for (const auto& [name, media_type] : outputs_) {
      if (!succeeded) break;
      std::ifstream file(dir / name, std::ios::binary);
      if (!file) complaints.push_back("output " + name + " was removed after it was committed");
      outputs[name] = {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
      media_types[name] = media_type;
    }
    open_.clear();
    reading_.clear();
    outputs_.clear();
    bytes_ = 0;
    std::error_code ignored;
    std::filesystem::remove_all(dir, ignored);
    std::filesystem::remove_all(scratch_.path() / ("tmp-" + std::to_string(attempt_)), ignored);
  }

 private:
  struct Given {
    std::string path, media_type;
  };
  struct Open {
    std::string name, media_type, bytes;
  };
  struct Reading {
    std::unique_ptr<std::ifstream> file;
    std::string path;
  };
  static Reply misuse(const char* what) { return {JH_E_MISUSE, std::string(what) + " is not open (any more)"}; }
  Reply tooMuch() const {
    return {JH_E_LIMIT, "the outputs are over their limit of " + std::to_string(max_bytes_) + " bytes"};
  }
  std::string folder(const std::string& name) {
    const auto path = scratch_.path() / name;
    std::filesystem::create_directories(path);
    return path.string();
  }
  /// Handles are numbers, never addresses: one that has ended, or was made up, is not found.
  std::uintptr_t nextHandle() { return ++serial_ << 4 | 0xa; }

  ScratchFolder scratch_;
  std::uint64_t max_bytes_ = std::uint64_t{1} << 30;
  std::size_t max_files_ = 10'000;
  std::uint64_t bytes_ = 0;
  int attempt_ = 0;
  std::uintptr_t serial_ = 0;
  std::map<std::string, Given> inputs_;
  std::map<std::uintptr_t, Open> open_;
  std::map<std::uintptr_t, Reading> reading_;
  std::map<std::string, std::string> outputs_;  // committed: media type by name
};

}  // namespace jobhost::testing::detail
