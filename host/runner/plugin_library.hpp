#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "jobhost/abi.h"
#include "wire/messages.hpp"

namespace jobhost::runner {

/// The one plugin of this process, loaded for good: it is never unloaded, the process ends instead.
class PluginLibrary {
 public:
  struct Type {
    std::string name;
    std::uint32_t flags = 0;
    /// Without its noexcept: pthread_exit() in a C plugin unwinds through the call, and must not end in terminate().
    jh_result(JH_CALL* run)(jh_job*) = nullptr;
  };

  /// Maps the file, calls the entry, checks what it answers against the ABI and the manifest as scanned, and calls
  /// init(). Runs code of the plugin. Never throws.
  static std::variant<std::unique_ptr<PluginLibrary>, wire::LoadFailed> load(const wire::Load& load,
                                                                             const jh_host* host);

  [[nodiscard]] const std::vector<Type>& types() const { return types_; }
  [[nodiscard]] const jh_module& module() const { return module_; }
  [[nodiscard]] std::uint64_t loadMicros() const { return load_us_; }
  [[nodiscard]] std::uint64_t initMicros() const { return init_us_; }
  [[nodiscard]] jh_entry_fn entry() const { return entry_; }
  void deinit() const;

 private:
  jh_module module_{};  ///< a copy: what lies past the plugin's struct_size is zero
  jh_entry_fn entry_ = nullptr;
  std::vector<Type> types_;
  std::uint64_t load_us_ = 0;
  std::uint64_t init_us_ = 0;
};

}  // namespace jobhost::runner
