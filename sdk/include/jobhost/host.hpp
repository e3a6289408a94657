// jobhost SDK: the pointer to the host, and codes into exceptions. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "abi.h"
#include "error.hpp"

namespace jobhost::detail {

inline const jh_host*& host() noexcept {
  static const jh_host* value = nullptr;  // set by the entry before anything else runs
  return value;
}

inline jh_str str(std::string_view text) noexcept {
  return {text.data(), text.size()};
}
inline std::string_view view(jh_str text) noexcept {
  return text.data != nullptr ? std::string_view(text.data, text.len) : std::string_view();
}

/// An extension of the host; nullptr when it is absent, not permitted or shorter than this header knows it.
template <class Extension>
const Extension* find(const char* id) noexcept {
  const auto* extension = static_cast<const Extension*>(host()->get_extension(id));
  return extension != nullptr && extension->struct_size >= sizeof(Extension) ? extension : nullptr;
}
template <class Extension>
const Extension* need(const char* id) {
  const auto* extension = find<Extension>(id);
  if (extension == nullptr) {
    throw Error(JH_CLASS_DENIED, "extension_missing", std::string("this host does not offer ") + id);
  }
  return extension;
}

/// Throws what a failed call means; `what` names the call in the message.
inline void check(jh_job* job, jh_result result, std::string_view what) {
  if (result >= 0) return;
  if (result == JH_E_CANCELLED) {
    const int32_t reason = host()->cancelled(job);
    throw Cancelled{reason != JH_CANCEL_NO ? reason : JH_CANCEL_USER};
  }
  const std::string_view text = view(host()->last_error(job));
  const std::string message = std::string(what) + ": " + (text.empty() ? "the host refused" : std::string(text));
  switch (result) {
    case JH_E_INVALID:
      throw Error(JH_CLASS_PERMANENT, "invalid", message);
    case JH_E_DENIED:
      throw Error(JH_CLASS_DENIED, "denied", message);
    case JH_E_NOT_FOUND:
      throw Error(JH_CLASS_BAD_INPUT, "not_found", message);
    case JH_E_LIMIT:
      throw Error(JH_CLASS_RESOURCE, "limit", message);
    case JH_E_IO:
      throw Error(JH_CLASS_RESOURCE, "io", message);
    case JH_E_TIMEOUT:
      throw Error(JH_CLASS_TRANSIENT, "timeout", message);
    case JH_E_AGAIN:
      throw Error(JH_CLASS_TRANSIENT, "again", message);
    case JH_E_CONFLICT:
      throw Error(JH_CLASS_TRANSIENT, "conflict", message);
    default:
      throw Error(JH_CLASS_INTERNAL, "host_call_failed", message);
  }
}

}  // namespace jobhost::detail
