#pragma once

#include <jobhost/abi.h>
#include <jobhost/json.hpp>

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace jobhost::testing {

/// What one attempt did, as a host would see it.
struct Attempt {
  jh_result code = JH_OK;
  Json result;
  std::string error_code, error_message;
  std::int32_t error_class = 0;
  Json error_details;
  std::vector<std::pair<std::string, Json>> notes;  // in the order they came
  std::vector<double> progress;
  std::map<std::string, std::string> outputs;      // committed: bytes by name
  std::map<std::string, std::string> media_types;  // by output name
  [[nodiscard]] Json notesObject() const;
};

/// Loads one plugin into the test and runs its job types against a host that lives in this process: params, config,
/// inputs, outputs, notes, progress and cancelling. One attempt at a time.
class FakeHost {
 public:
  /// `plugin_dir` is the plugin's own folder.
  FakeHost(const std::string& plugin_file, const std::filesystem::path& plugin_dir);

  void setConfig(const Json& config) { config_ = config.dump(); }
  void addInput(const std::string& name, const std::filesystem::path& path) { inputs_[name] = path.string(); }
  /// Called for each note while the job runs; may cancel().
  void onNote(std::function<void(const std::string& key)> callback) { on_note_ = std::move(callback); }
  void cancel() { cancelled_ = JH_CANCEL_USER; }
  void resume() { cancelled_ = JH_CANCEL_NO; }

  Attempt run(const std::string& job_type, const Json& params);

 private:
  friend struct Calls;
  const jh_module* module_ = nullptr;
  std::string config_ = "{}";
  std::map<std::string, std::string> inputs_;
  std::string inputs_json_;
  std::function<void(const std::string&)> on_note_;
  std::atomic<std::int32_t> cancelled_{JH_CANCEL_NO};
  std::mutex mutex_;
  std::string params_;
  Attempt attempt_;
};

}  // namespace jobhost::testing
