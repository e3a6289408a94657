// The calls about records and key-value spaces: reads what the plugin sent, checks what it may, makes the answers.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/json_text.hpp"
#include "pool/call_request.hpp"
#include "store/record_value.hpp"
#include "wire/codec.hpp"

namespace jobhost::pool {
namespace {

using store::Record;
using store::RecordPage;
using store::RecordQuery;
using store::RecordRef;
using store::RecordWrite;
using wire::Method;

constexpr std::int64_t kMaxTtlMs = 10LL * 366 * 24 * 3600 * 1000;
constexpr int kKeysPerPage = 100;  // of a list that names no limit

bool isKeyMethod(Method method) {
  return method >= Method::KeyGet;
}
bool changes(Method method) {
  return method == Method::RecordPut || method == Method::RecordDelete || method == Method::KeyPut ||
         method == Method::KeyDelete;
}

/// What is wrong with a call; the code is the ABI's.
struct Refusal {
  std::int32_t result = kInvalid;
  std::string why;
};
template <class T>
using Read = std::variant<T, Refusal>;

/// The collection in the store that the plugin means, if it may do that there.
Read<RecordRef> readPlace(Method method, const Request& request, const wire::RecordCall& call) {
  const std::string& own = request.caller.plugin;
  std::string name(call.collection.substr(0, 256));
  if (isKeyMethod(method)) {
    if (!request.permissions.kv) {
      return Refusal{kDenied, "the manifest does not ask for permission to keep keys (permissions.kv: true)"};
    }
    if (name == "plugin") return RecordRef{own, store::keySpace(), {}};
    if (name == "type") return RecordRef{own, store::keySpaceOfType(request.caller.type), {}};
    if (name == "job") return RecordRef{own, store::keySpaceOfJob(request.caller.job), {}};
    return Refusal{kInvalid, "the space must be the plugin's, the type's or the job's"};
  }
  const auto slash = name.find('/');
  std::string plugin = slash == std::string::npos ? own : name.substr(0, slash);
  std::string collection = slash == std::string::npos ? name : name.substr(slash + 1);
  if (plugin == own) {
    const auto& declared = request.attempt.type->generation->records;
    const bool known = std::any_of(declared.begin(), declared.end(),
                                   [&](const catalog::RecordCollection& one) { return one.name == collection; });
    if (!known) {
      return Refusal{kInvalid,
                     "the manifest declares no collection \"" + core::cleanText(collection, 128) + "\" (records)"};
    }
    return RecordRef{std::move(plugin), std::move(collection), {}};
  }
  const auto named = [&](const std::vector<std::string>& all) {
    return std::any_of(all.begin(), all.end(),
                       [&](const std::string& one) { return one == name || one == plugin + "/*"; });
  };
  const bool may_write = named(request.permissions.records_write);
  const bool may = may_write || (!changes(method) && named(request.permissions.records_read));
  if (!may) {
    return Refusal{kDenied, std::string("the manifest does not ask for permission to ") +
                                (changes(method) ? "write" : "read") + " the records \"" + core::cleanText(name, 256) +
                                "\" (permissions.records." + (changes(method) ? "write)" : "read)")};
  }
  // What begins with '#' is no collection, and never another plugin's to see.
  if (store::isKeySpace(collection)) return Refusal{kInvalid, "a collection's name begins with a letter"};
  return RecordRef{std::move(plugin), std::move(collection), {}};
}

/// The members of an options object, read one by one; what is left over is unknown.
class Options {
 public:
  explicit Options(std::string_view json) {
    if (json.empty()) return;
    auto members = core::jsonMembers(json);
    if (!members) {
      wrong_ = "the options are not a JSON object";
    } else {
      members_ = *std::move(members);
    }
  }
  std::optional<std::string_view> take(std::string_view name) {
    const auto found = std::find_if(members_.begin(), members_.end(), [&](const auto& one) { return one.key == name; });
    if (found == members_.end()) return std::nullopt;
    const auto value = found->value;
    members_.erase(found);
    return value == "null" ? std::nullopt : std::optional(value);
  }
  std::optional<std::string> text(std::string_view name) {
    const auto value = take(name);
    if (!value) return std::nullopt;
    auto text = core::jsonString(*value);
    if (!text) fault(name, "must be a text");
    return text;
  }
  std::optional<std::int64_t> whole(std::string_view name, std::int64_t least, std::int64_t most) {
    const auto value = take(name);
    if (!value) return std::nullopt;
    const auto number = core::jsonInteger(*value);
    if (!number || *number < least || *number > most) {
      fault(name, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
      return std::nullopt;
    }
    return number;
  }
  bool flag(std::string_view name, bool otherwise) {
    const auto value = take(name);
    if (!value) return otherwise;
    if (*value != "true" && *value != "false") fault(name, "must be true or false");
    return *value == "true";
  }
  std::string order(std::string_view name) {
    const auto value = take(name);
    if (!value) return {};
    auto key = store::orderKey(*value);
    if (key) return *std::move(key);
    fault(name, key.error().message);
    return {};
  }
  void fault(std::string_view name, const std::string& what) {
    if (wrong_.empty()) wrong_ = "/" + std::string(name) + ": " + what;
  }
  /// Why the options cannot be taken; empty: they can.
  [[nodiscard]] std::string wrong() const {
    if (!wrong_.empty() || members_.empty()) return wrong_;
    return "/" + core::cleanText(members_.front().key, 100) + ": unknown";
  }

 private:
  std::vector<core::JsonMember> members_;
  std::string wrong_;
};

struct WriteCall {
  RecordWrite write;
  bool at_once = false;
};

Read<WriteCall> readWrite(Method method, const Request& request, const wire::RecordCall& call, RecordRef at) {
  WriteCall out;
  out.write.at = std::move(at);
  out.write.at.key = std::string(call.key.substr(0, store::kMaxRecordKey + 1));
  Options options(call.options_json);
  out.at_once = options.flag("now", false);
  out.write.expected = options.whole("expected", store::kOwnVersion, INT64_MAX).value_or(store::kAnyVersion);
  if (method == Method::RecordPut) {
    out.write.parent = options.text("parent").value_or("");
    out.write.sort = options.order("sort");
  }
  if (method == Method::KeyPut) {
    if (const auto ttl = options.whole("ttl_ms", 1, kMaxTtlMs)) {
      out.write.expires_at = request.context.clock.now() + core::Millis(*ttl);
    }
  }
  if (auto wrong = options.wrong(); !wrong.empty()) return Refusal{kInvalid, std::move(wrong)};
  if (call.value.size() > store::kMaxRecordBody) {
    return Refusal{kCallLimit, "the value of " + std::to_string(call.value.size()) + " bytes is over the limit of " +
                                   std::to_string(store::kMaxRecordBody)};
  }
  if (method == Method::RecordPut || method == Method::KeyPut) out.write.body = std::string(call.value);
  return out;
}

// A cursor: the sort key in hex digits, '.', the key.
std::string cursorOf(const Record& record) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const char c : record.sort) {
    text.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
    text.push_back(kHex[static_cast<unsigned char>(c) & 15]);
  }
  return text + "." + record.key;
}

std::optional<RecordQuery::Cursor> readCursor(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos || dot % 2 != 0) return std::nullopt;
  RecordQuery::Cursor cursor;
  for (std::size_t i = 0; i < dot; i += 2) {
    unsigned byte = 0;
    const auto [end, failed] = std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
    if (failed != std::errc{} || end != text.data() + i + 2) return std::nullopt;
    cursor.sort.push_back(static_cast<char>(byte));
  }
  cursor.key = std::string(text.substr(dot + 1));
  return cursor;
}

Read<RecordQuery> readQuery(Method method, const wire::RecordCall& call, RecordRef at) {
  RecordQuery query;
  query.plugin = std::move(at.plugin);
  query.collection = std::move(at.collection);
  Options options(call.options_json);
  int ways = 0;
  if (auto prefix = options.text("prefix")) {
    query.prefix = *std::move(prefix);
    ++ways;
  }
  if (!isKeyMethod(method)) {
    if (auto parent = options.text("parent")) {
      query.by = RecordQuery::By::Parent;
      query.parent = *std::move(parent);
      ++ways;
    }
    if (auto index = options.text("index")) {
      query.by = RecordQuery::By::Value;
      query.field = index->substr(0, store::kMaxFieldBytes + 1);
      query.value = options.order("value");
      if (query.value.empty()) options.fault("value", "is required with index, and null is in no index");
      ++ways;
    }
  }
  if (ways > 1) options.fault("", "only one of prefix, parent and index can be asked for at once");
  if (method != Method::RecordCount) {
    const auto order = options.text("order").value_or("asc");
    if (order != "asc" && order != "desc") options.fault("order", "must be \"asc\" or \"desc\"");
    query.descending = order == "desc";
    query.limit = static_cast<int>(options.whole("limit", 1, store::kMaxRecordPage).value_or(kKeysPerPage));
    query.with_bodies = !isKeyMethod(method) && options.flag("values", true);
    if (const auto cursor = options.text("cursor")) {
      query.after = readCursor(*cursor);
      if (!query.after) options.fault("cursor", "is none that a page answered");
    }
  }
  if (auto wrong = options.wrong(); !wrong.empty()) return Refusal{kInvalid, std::move(wrong)};
  return query;
}

std::int64_t millis(core::Instant at) {
  return core::toMicros(at) / 1000;
}

void appendRecord(std::string& out, const Record& record, bool with_value) {
  out += "{\"key\":";
  core::appendJsonString(out, record.key);
  out += ",\"version\":" + std::to_string(record.version);
  if (!record.parent.empty()) {
    out += ",\"parent\":";
    core::appendJsonString(out, record.parent);
  }
  if (!record.sort.empty()) out += ",\"sort\":" + store::orderKeyJson(record.sort);
  out += ",\"created_ms\":" + std::to_string(millis(record.created_at)) +
         ",\"updated_ms\":" + std::to_string(millis(record.updated_at));
  if (with_value) out += ",\"value\":" + record.body;
  out += "}";
}

void appendKey(std::string& out, const Record& record) {
  out += "{\"key\":";
  core::appendJsonString(out, record.key);
  out += ",\"version\":" + std::to_string(record.version) + ",\"size_bytes\":" + std::to_string(record.body_bytes);
  if (record.expires_at) out += ",\"expires_ms\":" + std::to_string(millis(*record.expires_at));
  out += "}";
}

std::string pageJson(const RecordPage& page, bool keys, bool with_values) {
  std::string json = "{\"items\":[";
  for (const Record& record : page.records) {
    if (json.back() != '[') json.push_back(',');
    keys ? appendKey(json, record) : appendRecord(json, record, with_values);
  }
  json += "]";
  if (page.more && !page.records.empty()) {
    json += ",\"next\":";
    core::appendJsonString(json, cursorOf(page.records.back()));
  }
  return json + "}";
}

std::string numberBody(std::int64_t number) {
  std::string body;
  wire::Encoder(body).i64(number);
  return body;
}

/// "Not found" is said of a record or key alone: a plugin must be able to tell that there is none from that it asked in
/// a collection or by an index that does not exist.
std::int32_t codeOf(core::ErrorCode code) {
  if (code == core::ErrorCode::Conflict) return kConflict;
  return code == core::ErrorCode::NotFound ? kInvalid : resultFor(code);
}

/// Brings the answer to the loop's thread; it is made where the service calls, as a page may be long.
template <class T, class Make>
RecordServices::Done<T> deliver(const Request& request, Make make) {
  return [to = request.context.loop.poster(), answer = request.answer, make](core::Result<T> result) {
    auto reply = std::make_shared<CallAnswer>();
    if (result) {
      *reply = make(*result);
    } else {
      *reply = {codeOf(result.error().code), describe(result.error()), {}};
    }
    to.post([reply, answer] { answer(*reply); });
  };
}

CallAnswer withNumber(std::int64_t number) {
  return {0, {}, numberBody(number)};
}

void get(Method method, const Request& request, RecordServices& records, RecordRef at, std::string_view key) {
  at.key = std::string(key.substr(0, store::kMaxRecordKey + 1));
  const std::string name = core::cleanText(at.key, 200);
  records.getRecord(request.attempt.writes, std::move(at),
                    deliver<std::optional<Record>>(request, [method, name](const std::optional<Record>& record) {
                      if (!record) return CallAnswer{kNotFound, "there is no \"" + name + "\"", {}};
                      std::string body;
                      if (isKeyMethod(method)) {
                        body = numberBody(record->version) + record->body;
                      } else {
                        appendRecord(body, *record, true);
                      }
                      return CallAnswer{0, {}, std::move(body)};
                    }));
}

void write(Method method, const Request& request, RecordServices& records, const wire::RecordCall& call, RecordRef at) {
  auto read = readWrite(method, request, call, std::move(at));
  if (const auto* refusal = std::get_if<Refusal>(&read)) return request.refuse(refusal->result, refusal->why);
  auto& asked = std::get<WriteCall>(read);
  const bool deletion = !asked.write.body;
  records.writeRecord(request.attempt.writes, std::move(asked.write), asked.at_once,
                      deliver<std::int64_t>(request, [deletion](std::int64_t version) {
                        return deletion ? CallAnswer{} : withNumber(version);
                      }));
}

void query(Method method, const Request& request, RecordServices& records, const wire::RecordCall& call, RecordRef at) {
  auto read = readQuery(method, call, std::move(at));
  if (const auto* refusal = std::get_if<Refusal>(&read)) return request.refuse(refusal->result, refusal->why);
  auto& asked = std::get<RecordQuery>(read);
  if (method == Method::RecordCount) {
    return records.countRecords(request.attempt.writes, std::move(asked),
                                deliver<std::int64_t>(request, [](std::int64_t n) { return withNumber(n); }));
  }
  const bool values = asked.with_bodies;
  records.listRecords(request.attempt.writes, std::move(asked),
                      deliver<RecordPage>(request, [keys = isKeyMethod(method), values](const RecordPage& page) {
                        return CallAnswer{0, {}, pageJson(page, keys, values)};
                      }));
}

}  // namespace

bool isRecordMethod(Method method) {
  return (method >= Method::RecordGet && method <= Method::RecordCount) ||
         (method >= Method::KeyGet && method <= Method::KeyList);
}

void serveRecordCall(Method method, const Request& request) {
  RecordServices* records = request.context.services->records();
  if (records == nullptr) return request.refuse(kUnsupported, "this host keeps no records");
  wire::RecordCall call;
  if (!wire::decode(request.body, call)) return request.refuse(kInvalid, "the call about records cannot be read");
  auto place = readPlace(method, request, call);
  if (const auto* refusal = std::get_if<Refusal>(&place)) return request.refuse(refusal->result, refusal->why);
  auto& at = std::get<RecordRef>(place);
  if (!request.attempt.writes) request.attempt.writes = records->openWrites();
  switch (method) {
    case Method::RecordGet:
    case Method::KeyGet:
      return get(method, request, *records, std::move(at), call.key);
    case Method::RecordPut:
    case Method::RecordDelete:
    case Method::KeyPut:
    case Method::KeyDelete:
      return write(method, request, *records, call, std::move(at));
    default:
      return query(method, request, *records, call, std::move(at));
  }
}

}  // namespace jobhost::pool
