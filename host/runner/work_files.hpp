#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "jobhost/abi.h"
#include "wire/messages.hpp"

namespace jobhost::runner {

/// An answer to the plugin: a code, and the sentence last_error() gives.
struct Outcome {
  jh_result code = JH_OK;
  std::string why;
  [[nodiscard]] bool ok() const { return code == JH_OK; }
};

/// The files of one attempt: in/<slot>/, out/<slot>/ and tmp/<slot>/ below the runner's work folder. Folders are made
/// when first needed. Names are checked here for the plugin's sake; the host checks everything again when it takes the
/// files.
///
/// Thread-safety: any thread; one lock, not held while bytes are written. Errors: Outcome.
class WorkFiles {
 public:
  struct Limits {
    std::uint64_t bytes;
    std::uint32_t files;
  };
  WorkFiles(const std::string& work_dir, std::uint32_t slot, Limits limits);
  ~WorkFiles();
  WorkFiles(const WorkFiles&) = delete;
  WorkFiles& operator=(const WorkFiles&) = delete;

  void setInputs(std::vector<wire::InputFile> inputs) { inputs_ = std::move(inputs); }

  // Outputs.
  Outcome outputDir(std::string& path);
  Outcome create(std::string_view name, std::string_view media_type, std::uintptr_t& handle);
  Outcome write(std::uintptr_t handle, const void* data, std::size_t size);
  Outcome commit(std::uintptr_t handle);
  Outcome abort(std::uintptr_t handle);
  Outcome publish(std::string_view name, std::string_view media_type);
  Outcome reserve(std::int64_t bytes);
  /// Drops outputs still open and answers the committed ones.
  std::vector<wire::OutputFile> finish();
  [[nodiscard]] bool madeOutputDir() const { return out_fd_ >= 0; }

  // Inputs.
  [[nodiscard]] const std::vector<wire::InputFile>& inputs() const { return inputs_; }
  Outcome inputPath(std::string_view name, std::string& path) const;
  Outcome open(std::string_view name, std::uintptr_t& handle);
  Outcome read(std::uintptr_t handle, void* buffer, std::size_t size, std::size_t& got);
  Outcome size(std::uintptr_t handle, std::int64_t& bytes);
  Outcome close(std::uintptr_t handle);

  // Temp.
  Outcome tempDir(std::string& path);
  /// Removes tmp/<slot>/ when it was made.
  void wipeTemp();

 private:
  struct OpenFile {
    int fd = -1;
    bool output = false;
    std::string name;
    std::string media_type;
    std::string part_name;  ///< of an output, below out/<slot>/
    std::uint64_t bytes = 0;
    ~OpenFile();
  };
  std::shared_ptr<OpenFile> find(std::uintptr_t handle, bool output);
  std::shared_ptr<OpenFile> take(std::uintptr_t handle, bool output);
  std::uintptr_t add(std::shared_ptr<OpenFile> file);
  Outcome ensureOutputDir();
  Outcome moveIntoPlace(const OpenFile& file);
  void record(std::string name, std::string media_type, std::uint64_t bytes);

  const std::string in_dir_;
  const std::string out_dir_;
  const std::string tmp_dir_;
  const Limits limits_;
  std::vector<wire::InputFile> inputs_;

  std::mutex mutex_;
  int out_fd_ = -1;
  bool temp_made_ = false;
  std::uint64_t bytes_ = 0;  ///< written to outputs, committed or open
  std::uintptr_t serial_ = 0;
  std::map<std::uintptr_t, std::shared_ptr<OpenFile>> open_;
  std::map<std::string, wire::OutputFile> outputs_;
};

}  // namespace jobhost::runner
