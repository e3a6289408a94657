#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/encoding.hpp"
#include "api/http_types.hpp"
#include "api/json_reader.hpp"
#include "api/lncrawl/errors.hpp"

namespace jobhost::api::lncrawl {

/// Asks a query string for its values; what is wrong gathers as faults. Names nobody asks for are let pass, as upstream
/// does. One thread.
class QueryFields {
 public:
  explicit QueryFields(const Request& request);

  /// nullopt: absent, or wrong (a fault was added).
  std::optional<std::string> text(std::string_view name);
  /// One that a list is searched for, 512 characters at most; empty is as absent.
  std::optional<std::string> filter(std::string_view name);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  std::optional<bool> boolean(std::string_view name);
  /// One of these numbers.
  std::optional<std::int64_t> oneOf(std::string_view name, const std::vector<std::int64_t>& values);

  /// `offset` (default 0) and `limit` (default 20, at most 100; 0 gives no items) of a list.
  struct Span {
    std::int64_t offset = 0;
    std::int64_t limit = 20;
  };
  Span span();

  void fault(Fault fault) { faults_.push_back(std::move(fault)); }
  [[nodiscard]] const std::vector<Fault>& faults() const { return faults_; }

 private:
  std::optional<Query> query_;
  std::vector<Fault> faults_;
};

/// The same for a body, a JSON object. One thread; views into the body, which must outlive it.
class BodyFields {
 public:
  explicit BodyFields(std::string_view body);

  /// The value of a member; nullptr: there is no such member. `required` adds a fault then. Null is a value.
  const JsonValue* value(std::string_view name, bool required);
  std::optional<std::string> text(std::string_view name, std::size_t max_characters);
  /// The same of a member that may be absent or null.
  std::optional<std::string> textOrNull(std::string_view name, std::size_t max_characters);
  /// A text with something in it but blanks, without those around it.
  std::optional<std::string> title(std::string_view name, std::size_t max_characters);
  /// JSON's own, 0 and 1, and the words upstream takes: yes, no, on, off, true, false, t, f, y, n.
  bool boolean(std::string_view name, bool otherwise);
  /// nullopt: absent, null, or wrong (a fault was added).
  std::optional<bool> booleanOrNull(std::string_view name);
  /// A required whole number, one of these.
  std::optional<std::int64_t> oneOf(std::string_view name, const std::vector<std::int64_t>& values);
  /// Whether the member is there and not null.
  bool has(std::string_view name);
  /// The elements of a required array; nullopt: there is none (a fault was added).
  std::optional<std::vector<JsonValue>> list(std::string_view name, std::size_t max_items);
  /// A required array of texts, none of them empty.
  std::optional<std::vector<std::string>> texts(std::string_view name, std::size_t max_items,
                                                std::size_t max_characters);

  void fault(Fault fault) { faults_.push_back(std::move(fault)); }
  [[nodiscard]] const std::vector<Fault>& faults() const { return faults_; }

 private:
  std::optional<std::string> textOf(const JsonValue& value, std::string_view name, std::size_t max_characters);

  std::string_view body_;
  std::optional<JsonDocument> document_;
  std::vector<Fault> faults_;
};

/// yes, no, on, off, true, false, t, f, y, n, 1, 0, without case; nullopt: none of them.
std::optional<bool> booleanWord(std::string_view text);
/// Without the blanks around it.
std::string_view trimmed(std::string_view text);
/// A text as JSON.
std::string jsonText(std::string_view text);

}  // namespace jobhost::api::lncrawl
