#include "runner/plugin_library.hpp"

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstring>
#include <forward_list>

#include "runner/crash.hpp"
#include "runner/host_table.hpp"
#include "runner/status.hpp"
#include "runner/text.hpp"

namespace jobhost::runner {
namespace {

using wire::LoadFailed;
using wire::LoadStage;

// Sizes of version 1.0: what every plugin must have. Never today's sizeof.
constexpr std::size_t kModuleBaseline = offsetof(jh_module, get_extension) + sizeof(void*);
constexpr std::size_t kTypeBaseline = offsetof(jh_job_type, run) + sizeof(void*);
constexpr std::size_t kAbsurdSize = 64 * 1024;
constexpr std::uint32_t kMaxTypes = 1024;
constexpr std::size_t kMaxTypeName = 255;

std::string version(std::uint32_t major, std::uint32_t minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

/// Debian names a package after the library and its version: libfoo.so.5 is in libfoo5, libfoo-2.so.5 in libfoo-2-5.
std::string likelyPackage(const std::string& library) {
  const auto so = library.find(".so.");
  if (so == std::string::npos || library.compare(0, 3, "lib") != 0) return {};
  std::string package = library.substr(0, so);
  if (std::isdigit(static_cast<unsigned char>(package.back())) != 0) package += '-';
  package += library.substr(so + 4);
  for (char& c : package) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return " On Debian: probably package " + package + ".";
}

/// "library "libfoo.so.5" (needed by the plugin) was not found", where the loader's words say so.
LoadFailed openFailed(const std::string& words) {
  LoadFailed failed{LoadStage::Open, "load_failed", words, words};
  const std::string_view missing = ": cannot open shared object file";
  if (const auto end = words.find(missing); end != std::string::npos) {
    auto begin = words.rfind(' ', end - 1);
    begin = begin == std::string::npos ? 0 : begin + 1;
    const std::string library = words.substr(begin, end - begin);
    if (library.find('/') == std::string::npos) {
      failed.code = "missing_library";
      failed.message = "library \"" + library + "\", which it needs, was not found. Searched: <bundle>/lib, ld.so cache." +
                       likelyPackage(library);
    }
  } else if (words.find("undefined symbol") != std::string::npos) {
    failed.code = "undefined_symbol";
    const auto symbol = words.find("undefined symbol");
    const auto rest = words.find_first_of(",)\n", symbol);  // Boost.DLL's words go on behind the loader's
    failed.message = "the library has an " + words.substr(symbol, rest - symbol) + ". Link what defines it.";
  } else if (words.find("invalid ELF header") != std::string::npos ||
             words.find("file too short") != std::string::npos) {
    failed.code = "not_a_library";
  }
  return failed;
}

/// Why the note behind jh_module.manifest is not what was scanned; empty: it is.
std::string manifestProblem(const void* note, const std::string& expected) {
  if (note == nullptr) return "jh_module.manifest is NULL";
  std::uint32_t header[3];
  std::memcpy(header, note, sizeof(header));
  const auto* bytes = static_cast<const char*>(note) + sizeof(header);
  if (header[0] != 8 || header[2] != JH_NOTE_TYPE || std::memcmp(bytes, JH_NOTE_OWNER, 8) != 0) {
    return "jh_module.manifest does not point at the note";
  }
  if (header[1] > wire::kMaxManifestBytes) return "the manifest is over 256 KiB";
  if (expected.empty()) return {};
  std::string_view text(bytes + 8, header[1]);
  while (!text.empty() && text.back() == '\0') text.remove_suffix(1);
  return text == expected ? std::string() : "the manifest in memory is not the one in the file";
}

std::variant<std::vector<PluginLibrary::Type>, LoadFailed> readTypes(const jh_module& module) {
  std::vector<PluginLibrary::Type> types;
  const auto refuse = [](const std::string& why) { return LoadFailed{LoadStage::Check, "bad_job_type", why, why}; };
  for (std::uint32_t i = 0;; ++i) {
    const jh_job_type* type = module.job_type(i);
    if (type == nullptr) break;
    const std::string which = "job type " + std::to_string(i) + ": ";
    if (i >= kMaxTypes) return refuse("more than 1024 job types");
    if (type->struct_size < kTypeBaseline || type->struct_size > kAbsurdSize) {
      return refuse(which + "struct_size " + std::to_string(type->struct_size) + " cannot be");
    }
    if (type->name == nullptr || type->run == nullptr) return refuse(which + "name or run is NULL");
    const std::string name(type->name, strnlen(type->name, kMaxTypeName + 1));
    if (name.empty() || name.size() > kMaxTypeName || !isUtf8(name)) {
      return refuse(which + "the name must be 1 to 255 bytes of UTF-8");
    }
    const auto same = [&](const auto& other) { return other.name == name; };
    if (std::any_of(types.begin(), types.end(), same)) return refuse("job type \"" + name + "\" is there twice");
    types.push_back({name, type->flags, type->run});
  }
  if (types.empty()) return refuse("the plugin has no job type");
  return types;
}

/// A place for a library that stays mapped until the process ends: unloading C++ code is not safe.
boost::dll::shared_library& neverUnloaded() {
  static auto& libraries = *new std::forward_list<boost::dll::shared_library>;
  return libraries.emplace_front();
}

}  // namespace

std::variant<std::unique_ptr<PluginLibrary>, LoadFailed> PluginLibrary::load(const wire::Load& load,
                                                                             const jh_host* host) {
  const auto refuse = [](LoadStage stage, const char* code, const std::string& why) {
    return LoadFailed{stage, code, why, why};
  };
  auto plugin = std::unique_ptr<PluginLibrary>(new PluginLibrary);
  if (load.path.empty() || load.path.front() != '/')
    return refuse(LoadStage::Open, "load_failed", "the path is not absolute");

  const std::uint64_t begin = steadyMicros();
  boost::dll::shared_library& library = neverUnloaded();
  try {
    library.load(load.path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  } catch (const std::exception& error) {
    return openFailed(error.what());
  }
  plugin->load_us_ = steadyMicros() - begin;
  refreshModules();
  if (!library.has(JH_ENTRY_SYMBOL)) {
    return refuse(LoadStage::Entry, "no_entry",
                  "it has no symbol " JH_ENTRY_SYMBOL ": not a plugin, or built for another major version of the ABI");
  }
  const auto entry = reinterpret_cast<jh_entry_fn>(&library.get<const jh_module*(const jh_host*)>(JH_ENTRY_SYMBOL));
  plugin->entry_ = entry;
  const jh_module* given = entry(host);
  if (given == nullptr) return refuse(LoadStage::Entry, "refused", "its entry refused this host");
  const std::uint32_t size = given->struct_size;
  if (size < kModuleBaseline || size > kAbsurdSize) {
    return refuse(LoadStage::Check, "bad_struct", "jh_module.struct_size " + std::to_string(size) + " cannot be");
  }
  std::memcpy(&plugin->module_, given, std::min<std::size_t>(size, sizeof(jh_module)));
  const jh_module& module = plugin->module_;
  if (module.abi_major != JH_ABI_MAJOR || module.abi_min_minor > JH_ABI_MINOR) {
    return refuse(LoadStage::Check, "abi_mismatch",
                  "needs plugin ABI " + version(module.abi_major, module.abi_min_minor) +
                      " or newer, this jobhost offers ABI " + version(JH_ABI_MAJOR, 0) + "–" +
                      version(JH_ABI_MAJOR, JH_ABI_MINOR));
  }
  if (auto problem = manifestProblem(module.manifest, load.manifest); !problem.empty()) {
    return refuse(LoadStage::Check, "manifest_differs", problem);
  }
  if (module.job_type == nullptr) return refuse(LoadStage::Check, "bad_struct", "jh_module.job_type is NULL");
  auto types = readTypes(module);
  if (auto* failed = std::get_if<LoadFailed>(&types)) return *failed;
  plugin->types_ = std::get<std::vector<Type>>(std::move(types));

  if (module.init != nullptr) {
    theSession().status().phase(wire::Phase::Init);
    const std::uint64_t init_begin = steadyMicros();
    const jh_result result = module.init(host, {load.plugin_dir.data(), load.plugin_dir.size()});
    plugin->init_us_ = steadyMicros() - init_begin;
    refreshModules();
    if (result != JH_OK) {
      const std::string why = lastInitError();
      return refuse(LoadStage::Init, "init_failed",
                    "init() failed with " + std::to_string(result) + (why.empty() ? "" : ": " + why));
    }
  }
  return plugin;
}

void PluginLibrary::deinit() const {
  if (module_.deinit != nullptr) module_.deinit();
}

}  // namespace jobhost::runner
