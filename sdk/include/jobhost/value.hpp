// jobhost SDK: reads typed values out of params, with errors that say where. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json.hpp"

namespace jobhost {

/// A place in a JSON document: the value there, or none, and its JSON Pointer. Reading the wrong type throws
/// Error::badInput("/width: must be an integer"). Borrowed: the document must outlive it.
///   const auto width = job.params()["width"].integer(1, 16384, 640);   // 640 when absent
class Value {
 public:
  Value(const Json* json, std::string pointer) : json_(json), pointer_(std::move(pointer)) {}

  Value operator[](std::string_view name) const {
    std::string escaped;
    for (const char c : name) {
      if (c == '~') {
        escaped += "~0";
      } else if (c == '/') {
        escaped += "~1";
      } else {
        escaped.push_back(c);
      }
    }
    return {json_ != nullptr ? json_->find(name) : nullptr, pointer_ + "/" + escaped};
  }
  Value operator[](const char* name) const { return (*this)[std::string_view(name)]; }
  Value at(std::size_t index) const {
    return {json_ != nullptr ? json_->find(index) : nullptr, pointer_ + "/" + std::to_string(index)};
  }

  /// Whether there is a value and it is not null.
  bool present() const noexcept { return json_ != nullptr && !json_->isNull(); }
  explicit operator bool() const noexcept { return present(); }
  /// The value; null when absent.
  const Json& json() const noexcept {
    static const Json none;
    return json_ != nullptr ? *json_ : none;
  }
  const std::string& pointer() const noexcept { return pointer_; }

  /// A string; without a fallback it must be there.
  std::string str() const {
    require(json().isString(), "must be a string");
    return std::string(json().stringOr({}));
  }
  std::string str(std::string_view fallback) const { return present() ? str() : std::string(fallback); }
  /// One of the words given.
  std::string oneOf(std::initializer_list<std::string_view> words, std::string_view fallback) const {
    const std::string word = str(fallback);
    std::string all;
    for (const auto& allowed : words) {
      if (word == allowed) return word;
      all += (all.empty() ? "" : ", ") + std::string(allowed);
    }
    fail("must be one of " + all);
  }
  /// A whole number within [least, most].
  std::int64_t integer(std::int64_t least = INT64_MIN, std::int64_t most = INT64_MAX) const {
    require(json().isInt(), "must be an integer");
    const std::int64_t value = json().intOr(0);
    if (value < least) fail("at least " + std::to_string(least));
    if (value > most) fail("at most " + std::to_string(most));
    return value;
  }
  std::int64_t integer(std::int64_t least, std::int64_t most, std::int64_t fallback) const {
    return present() ? integer(least, most) : fallback;
  }
  double number() const {
    require(json().isNumber(), "must be a number");
    return json().numberOr(0);
  }
  double number(double fallback) const { return present() ? number() : fallback; }
  /// A number within [least, most].
  double number(double least, double most) const {
    const double value = number();
    if (value < least) fail("at least " + Json(least).dump());
    if (value > most) fail("at most " + Json(most).dump());
    return value;
  }
  double number(double least, double most, double fallback) const { return present() ? number(least, most) : fallback; }
  bool boolean() const {
    require(json().isBool(), "must be true or false");
    return json().boolOr(false);
  }
  bool boolean(bool fallback) const { return present() ? boolean() : fallback; }
  /// The items of an array; none when absent.
  std::vector<Value> items() const {
    std::vector<Value> all;
    if (!present()) return all;
    if (!json().isArray()) fail("must be an array");
    for (std::size_t i = 0; i < json().size(); ++i) all.push_back(at(i));
    return all;
  }
  /// An array of strings; none when absent.
  std::vector<std::string> strings() const {
    std::vector<std::string> all;
    for (const Value& item : items()) all.push_back(item.str());
    return all;
  }
  /// The members of an object by name; none when absent.
  std::vector<std::pair<std::string, Value>> members() const {
    std::vector<std::pair<std::string, Value>> all;
    if (!present()) return all;
    if (!json().isObject()) fail("must be an object");
    for (const std::string& name : json().names()) all.emplace_back(name, (*this)[name]);
    return all;
  }
  /// Refuses members that are not among `names`; for documents no schema has checked, such as the configuration.
  void onlyKnown(std::initializer_list<std::string_view> names) const {
    for (const auto& [name, value] : members()) {
      std::string all;
      bool known = false;
      for (const auto& one : names) {
        known = known || name == one;
        all += (all.empty() ? "" : ", ") + std::string(one);
      }
      if (!known) value.fail("is not known (known: " + all + ")");
    }
  }
  std::size_t size() const noexcept { return json().size(); }

  /// Refuses the value here: throws Error::badInput("<pointer>: <why>").
  [[noreturn]] void fail(std::string_view why) const {
    throw Error::badInput((pointer_.empty() ? std::string("params") : pointer_) + ": " + std::string(why));
  }

 private:
  void require(bool right_type, const char* why) const {
    if (json_ == nullptr) fail("is missing");
    if (!right_type) fail(why);
  }

  const Json* json_;
  std::string pointer_;
};

}  // namespace jobhost
