// jobhost SDK, for tests: a plugin loaded or linked in. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#if !defined(_WIN32)
#include <dlfcn.h>
#endif

#include "../abi.h"
#include "../json.hpp"

namespace jobhost::testing::detail {

/// Loads the file and answers its entry. It stays loaded: plugins are never unloaded. Throws std::runtime_error.
inline jh_entry_fn loadEntry(const std::string& file) {
#if defined(_WIN32)
  throw std::runtime_error(file + ": link the plugin's sources into the test and pass jobhost_plugin_entry_v1");
#else
  // A name without a slash would be searched for in the system's folders.
  const std::string path = file.find('/') == std::string::npos ? "./" + file : file;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(std::string("the plugin cannot be loaded: ") + dlerror());
  void* const symbol = dlsym(library, JH_ENTRY_SYMBOL);
  if (symbol == nullptr) throw std::runtime_error(file + ": does not export " JH_ENTRY_SYMBOL);
  jh_entry_fn entry = nullptr;
  std::memcpy(&entry, &symbol, sizeof(entry));
  return entry;
#endif
}

/// The manifest of a loaded plugin. Throws std::runtime_error when the note is not one.
inline Json readManifest(const jh_module& module) {
  constexpr std::size_t kMaxManifest = 256 * 1024;
  std::uint32_t head[3] = {};
  const auto* note = static_cast<const char*>(module.manifest);
  if (note == nullptr) throw std::runtime_error("the plugin's jh_module.manifest is NULL");
  std::memcpy(head, note, sizeof(head));
  if (head[0] != sizeof(JH_NOTE_OWNER) || head[2] != JH_NOTE_TYPE || head[1] > kMaxManifest ||
      std::memcmp(note + sizeof(head), JH_NOTE_OWNER, sizeof(JH_NOTE_OWNER)) != 0) {
    throw std::runtime_error("the plugin's jh_module.manifest is no manifest note: use JOBHOST_MANIFEST");
  }
  std::string_view text(note + sizeof(head) + sizeof(JH_NOTE_OWNER), head[1]);
  while (!text.empty() && text.back() == '\0') text.remove_suffix(1);
  try {
    return Json::parse(text);
  } catch (const Error& error) {
    throw std::runtime_error("the plugin's manifest is " + error.message());
  }
}

/// Whether the manifest's permissions.<what> has `name` or "*".
inline bool permits(const Json& manifest, const char* what, std::string_view name) {
  for (const auto& one : manifest["permissions"][what].items()) {
    if (one.stringOr("") == name || one.stringOr("") == "*") return true;
  }
  return false;
}

/// `value` with the defaults of the schema's properties where a member is missing, as the host hands params over.
inline Json withDefaults(const Json& value, const Json& schema, int depth = 0) {
  const Json& properties = schema["properties"];
  if (!value.isObject() || !properties.isObject() || depth > 32) return value;
  Json filled = value;
  for (std::size_t i = 0; i < properties.size(); ++i) {
    const std::string& name = properties.names()[i];
    const Json& property = properties.items()[i];
    if (const Json* given = value.find(name); given != nullptr) {
      if (given->isObject()) filled.set(name, withDefaults(*given, property, depth + 1));
    } else if (const Json* fallback = property.find("default"); fallback != nullptr) {
      filled.set(name, *fallback);
    }
  }
  return filled;
}

/// The manifest's entry of a job type; null when there is none.
inline const Json& typeOf(const Json& manifest, std::string_view name) {
  static const Json none;
  for (const auto& type : manifest["job_types"].items()) {
    if (type["name"].stringOr("") == name) return type;
  }
  return none;
}

}  // namespace jobhost::testing::detail
