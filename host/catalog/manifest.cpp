#include "catalog/manifest.hpp"

#include <algorithm>
#include <initializer_list>
#include <set>
#include <utility>

#include "catalog/json_document.hpp"
#include "catalog/manifest_note.hpp"

namespace jobhost::catalog {

namespace {

constexpr int kFormat = 1;
constexpr std::size_t kMaxTypes = 256;
constexpr std::size_t kMaxFaults = 100;
constexpr std::int64_t kMiB = 1 << 20;

bool isLowerOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool isWordChar(char c) {
  return isLowerOrDigit(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

/// Two or more labels of small letters, digits, '-' and '_': safe as a folder's name.
bool isPluginId(std::string_view text) {
  if (text.empty() || text.size() > 128 || text.find('.') == std::string_view::npos) return false;
  bool start = true;
  for (const char c : text) {
    if (c == '.') {
      if (start) return false;
      start = true;
    } else if (isLowerOrDigit(c) || (!start && (c == '-' || c == '_'))) {
      start = false;
    } else {
      return false;
    }
  }
  return !start;
}

bool isTypeName(std::string_view text) {
  if (text.empty() || text.size() > 100 || !isWordChar(text[0])) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return isWordChar(c) || c == '.' || c == ':' || c == '-'; });
}

/// Reads typed members and writes down what is wrong with them.
class Fields {
 public:
  void fault(std::string pointer, std::string message) {
    if (faults_.size() < kMaxFaults) faults_.push_back({std::move(pointer), std::move(message)});
  }
  void warn(const std::string& text) {
    if (warnings_.size() < kMaxFaults) warnings_.push_back(text);
  }

  std::optional<JsonValue> member(JsonValue object, const std::string& base, const char* name, bool required = false) {
    auto found = object.find(name);
    if (!found && required) fault(base + "/" + name, "is required");
    return found;
  }
  std::string text(JsonValue object, const std::string& base, const char* name, std::size_t most,
                   bool required = false) {
    const auto value = member(object, base, name, required);
    if (!value) return {};
    if (!value->is(JsonKind::String)) {
      fault(base + "/" + name, "must be a string");
      return {};
    }
    if (value->string().size() > most) fault(base + "/" + name, "must have at most " + std::to_string(most) + " bytes");
    return std::string(value->string());
  }
  std::int64_t whole(JsonValue object, const std::string& base, const char* name, std::int64_t least, std::int64_t most,
                     std::int64_t otherwise, bool required = false) {
    const auto value = member(object, base, name, required);
    if (!value) return otherwise;
    const JsonNumber number = value->is(JsonKind::Number) ? value->number() : JsonNumber{};
    if (!number.is_int || number.integer < least || number.integer > most) {
      fault(base + "/" + name, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
      return otherwise;
    }
    return number.integer;
  }
  bool flag(JsonValue object, const std::string& base, const char* name, bool otherwise) {
    const auto value = member(object, base, name);
    if (!value) return otherwise;
    if (!value->isBool()) fault(base + "/" + name, "must be true or false");
    return value->boolean();
  }
  std::vector<std::string> texts(JsonValue object, const std::string& base, const char* name) {
    std::vector<std::string> all;
    const auto value = member(object, base, name);
    if (!value) return all;
    const std::string pointer = base + "/" + name;
    if (!value->is(JsonKind::Array) || value->size() > 256) {
      fault(pointer, "must be an array of at most 256 strings");
      return all;
    }
    value->elements([&](JsonValue element) {
      const std::string at = pointer + "/" + std::to_string(all.size());
      if (!element.is(JsonKind::String) || element.string().empty() || element.string().size() > 256) {
        fault(at, "must be a string of 1 to 256 bytes");
      } else if (std::find(all.begin(), all.end(), element.string()) != all.end()) {
        fault(at, "is there twice");
      }
      all.emplace_back(element.string());
    });
    return all;
  }
  /// The member where it is an object; nullopt when absent or (with a fault) something else.
  std::optional<JsonValue> object(JsonValue parent, const std::string& base, const char* name, bool required = false) {
    const auto value = member(parent, base, name, required);
    if (!value || value->is(JsonKind::Object)) return value;
    fault(base + "/" + name, "must be an object");
    return std::nullopt;
  }
  void known(JsonValue object, const std::string& base, std::initializer_list<std::string_view> names) {
    object.members([&](JsonValue key, JsonValue) {
      const std::string_view name = key.string();
      if (name.substr(0, 2) == "x-" || std::find(names.begin(), names.end(), name) != names.end()) return;
      warn(base + "/" + std::string(name.substr(0, 100)) + ": unknown, ignored");
    });
  }
  /// Compiles a schema; null with faults when it is wrong.
  std::shared_ptr<const ParamsSchema> schema(std::string_view text, const std::string& pointer) {
    auto compiled = ParamsSchema::compile(text);
    if (!compiled) {
      for (const auto& wrong : compiled.error().fields) fault(pointer + wrong.pointer, wrong.message);
      return nullptr;
    }
    for (const auto& warning : (*compiled)->warnings()) warn(pointer + warning);
    return *std::move(compiled);
  }

  std::vector<core::FieldError> faults_;
  std::vector<std::string> warnings_;
};

core::Backoff readBackoff(Fields& fields, JsonValue retry, const std::string& base) {
  core::Backoff backoff;
  const auto value = fields.member(retry, base, "backoff");
  if (!value) return backoff;
  const std::string pointer = base + "/backoff";
  std::string kind;
  if (value->is(JsonKind::String)) {
    kind = value->string();
  } else if (value->is(JsonKind::Object)) {
    kind = fields.text(*value, pointer, "kind", 20, true);
    backoff.base = core::Millis(fields.whole(*value, pointer, "base_ms", 0, 86'400'000, backoff.base.count()));
    backoff.cap = core::Millis(fields.whole(*value, pointer, "cap_ms", 0, 30LL * 86'400'000, backoff.cap.count()));
    if (const auto jitter = value->find("jitter")) {
      backoff.jitter = jitter->is(JsonKind::Number) ? jitter->number().real : -1;
      if (!(backoff.jitter >= 0 && backoff.jitter <= 1)) fields.fault(pointer + "/jitter", "must be from 0 to 1");
    }
  }
  if (kind == "fixed") {
    backoff.kind = core::BackoffKind::Fixed;
  } else if (kind == "exponential") {
    backoff.kind = core::BackoffKind::Exponential;
  } else if (kind != "minion") {
    fields.fault(pointer, "must be \"minion\", \"fixed\" or \"exponential\", or an object with that as its kind");
  }
  return backoff;
}

/// The name of a collection of records (what the store takes), or of something a job type provides.
bool isCollectionName(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text[0] >= 'a' && text[0] <= 'z' &&
         std::all_of(text.begin(), text.end(), [](char c) { return isLowerOrDigit(c) || c == '-' || c == '_'; });
}

std::vector<std::string> readProvides(Fields& fields, JsonValue type, const std::string& base) {
  constexpr std::size_t kMost = 16;
  auto all = fields.texts(type, base, "provides");
  if (all.size() > kMost) fields.fault(base + "/provides", "must have at most " + std::to_string(kMost) + " words");
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (isCollectionName(all[i])) continue;
    fields.fault(base + "/provides/" + std::to_string(i),
                 "must be a word of up to 64 small letters, digits, '-' and '_', a letter first");
  }
  return all;
}

void readRunning(Fields& fields, JsonValue type, const std::string& base, JobTypeInfo& info) {
  if (const auto limits = fields.object(type, base, "limits")) {
    const std::string at = base + "/limits";
    fields.known(*limits, at, {"memory_mb", "cpu_s", "wall_s", "output_mb", "processes"});
    info.limits.memory_bytes = fields.whole(*limits, at, "memory_mb", 1, 1 << 24, 0) * kMiB;
    info.limits.cpu = core::Millis(1000 * fields.whole(*limits, at, "cpu_s", 1, 31'536'000, 0));
    info.limits.wall = core::Millis(1000 * fields.whole(*limits, at, "wall_s", 1, 31'536'000, 0));
    info.limits.output_bytes = fields.whole(*limits, at, "output_mb", 1, 1 << 24, 0) * kMiB;
    info.limits.processes = static_cast<int>(fields.whole(*limits, at, "processes", 1, 65'536, 0));
  }
  if (const auto cancel = fields.object(type, base, "cancel")) {
    info.cancel_grace = core::Millis(fields.whole(*cancel, base + "/cancel", "grace_ms", 0, 60'000, 5'000));
  }
  if (const auto retry = fields.object(type, base, "retry")) {
    const std::string at = base + "/retry";
    fields.known(*retry, at, {"max_attempts", "backoff"});
    info.retry.max_attempts = static_cast<int>(fields.whole(*retry, at, "max_attempts", 1, 100, 1));
    info.retry.backoff = readBackoff(fields, *retry, at);
  }
  info.concurrency = static_cast<int>(fields.whole(type, base, "concurrency", 1, 10'000, 0));
  info.idempotent = fields.flag(type, base, "idempotent", false);
  const std::string isolation = fields.text(type, base, "isolation", 20);
  if (isolation == "fresh") {
    info.isolation = Isolation::Fresh;
  } else if (isolation == "inprocess-ok") {
    info.isolation = Isolation::InProcessOk;
  } else if (!isolation.empty() && isolation != "shared") {
    fields.fault(base + "/isolation", "must be \"shared\", \"fresh\" or \"inprocess-ok\"");
  }
}

ManifestType readType(Fields& fields, JsonValue type, const std::string& base) {
  ManifestType out;
  JobTypeInfo& info = out.info;
  fields.known(type, base,
               {"name", "title", "description", "params", "params_version", "result", "positional", "limits", "cancel",
                "retry", "concurrency", "idempotent", "isolation", "examples", "stall_ms", "reentrant", "provides"});
  info.name = fields.text(type, base, "name", 100, true);
  if (!info.name.empty() && !isTypeName(info.name)) {
    fields.fault(base + "/name",
                 "must have 1 to 100 letters, digits, '_', '-', '.' or ':', a letter, digit or '_' first");
  }
  if (info.name.starts_with(kProvidesPrefix)) {
    fields.fault(base + "/name", "must not begin with \"provides:\", which permissions use");
  }
  info.title = fields.text(type, base, "title", 200);
  if (info.title.empty()) info.title = info.name;
  info.description = fields.text(type, base, "description", 4000);
  if (const auto params = type.find("params")) info.params_schema_json = params->raw();
  if (const auto result = type.find("result")) info.result_schema_json = result->raw();
  info.params_version = static_cast<int>(fields.whole(type, base, "params_version", 1, 1'000'000, 1));
  info.positional = fields.texts(type, base, "positional");
  info.provides = readProvides(fields, type, base);
  out.schema = fields.schema(info.params_schema_json, base + "/params");
  fields.schema(info.result_schema_json, base + "/result");
  if (out.schema) {
    info.defaults_json = out.schema->defaultsJson();
    const auto& names = out.schema->propertyNames();
    for (std::size_t i = 0; i < info.positional.size() && !names.empty(); ++i) {
      if (std::find(names.begin(), names.end(), info.positional[i]) != names.end()) continue;
      fields.fault(base + "/positional/" + std::to_string(i), "is not a property of params");
    }
  }
  readRunning(fields, type, base, info);
  return out;
}

/// A field by which records are found: up to four member names with dots between.
bool isFieldName(std::string_view text) {
  const auto is_part = [](std::string_view part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), [](char c) { return isWordChar(c) || c == '-'; });
  };
  if (text.size() > 64) return false;
  for (int parts = 1; parts <= 4; ++parts) {
    const auto dot = text.find('.');
    if (!is_part(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
  return false;
}

std::vector<std::string> readForeignRecords(Fields& fields, JsonValue records, const std::string& at,
                                            const char* name) {
  auto all = fields.texts(records, at, name);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string_view one = all[i];
    const auto slash = one.find('/');
    const auto collection = slash == std::string_view::npos ? std::string_view() : one.substr(slash + 1);
    if (isPluginId(one.substr(0, slash)) && (collection == "*" || isCollectionName(collection))) continue;
    fields.fault(at + "/" + name + "/" + std::to_string(i),
                 "must be a plugin and one of its collections: \"com.example.library/books\", or \"/*\" for all");
  }
  return all;
}

Permissions readPermissions(Fields& fields, JsonValue root) {
  Permissions out;
  const auto value = fields.object(root, "", "permissions");
  if (!value) return out;
  const std::string at = "/permissions";
  fields.known(*value, at, {"net", "exec", "secrets", "children", "config", "kv", "records"});
  out.net = fields.texts(*value, at, "net");
  out.exec = fields.texts(*value, at, "exec");
  out.secrets = fields.texts(*value, at, "secrets");
  out.children = fields.texts(*value, at, "children");
  for (std::size_t i = 0; i < out.children.size(); ++i) {
    const std::string_view one = out.children[i];
    if (one == "*" || isTypeName(one)) {
      if (!one.starts_with(kProvidesPrefix) || isCollectionName(one.substr(kProvidesPrefix.size()))) continue;
    }
    fields.fault(at + "/children/" + std::to_string(i),
                 "must be a job type's name, \"provides:\" and what job types provide, or \"*\" for all");
  }
  out.config = fields.texts(*value, at, "config");
  out.kv = fields.flag(*value, at, "kv", false);
  if (const auto records = fields.object(*value, at, "records")) {
    fields.known(*records, at + "/records", {"read", "write"});
    out.records_read = readForeignRecords(fields, *records, at + "/records", "read");
    out.records_write = readForeignRecords(fields, *records, at + "/records", "write");
  }
  return out;
}

/// "records": {"books": {"indexes": ["url", "series.number"]}, …}
std::vector<RecordCollection> readRecords(Fields& fields, JsonValue root) {
  constexpr std::size_t kMostCollections = 64;
  constexpr std::size_t kMostIndexes = 8;
  std::vector<RecordCollection> all;
  const auto records = fields.object(root, "", "records");
  if (!records) return all;
  records->members([&](JsonValue key, JsonValue value) {
    const std::string name(key.string());
    const std::string at = "/records/" + name.substr(0, 100);
    if (all.size() >= kMostCollections) {
      if (all.size() == kMostCollections) {
        fields.fault("/records", "must have at most " + std::to_string(kMostCollections) + " collections");
        all.emplace_back();
      }
      return;
    }
    RecordCollection& collection = all.emplace_back();
    collection.name = name;
    if (!isCollectionName(name)) {
      fields.fault(at, "a collection's name is up to 64 small letters, digits, '-' and '_', a letter first");
    }
    if (!value.is(JsonKind::Object)) return fields.fault(at, "must be an object");
    fields.known(value, at, {"indexes", "title", "description"});
    collection.indexes = fields.texts(value, at, "indexes");
    if (collection.indexes.size() > kMostIndexes) {
      fields.fault(at + "/indexes", "must have at most " + std::to_string(kMostIndexes) + " fields");
    }
    for (std::size_t i = 0; i < collection.indexes.size(); ++i) {
      if (isFieldName(collection.indexes[i])) continue;
      fields.fault(at + "/indexes/" + std::to_string(i),
                   "must be a member's name, or up to four with dots between: \"series.number\"");
    }
  });
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

void readTypes(Fields& fields, JsonValue root, Manifest& out) {
  const auto types = fields.member(root, "", "job_types", true);
  if (!types) return;
  if (!types->is(JsonKind::Array) || types->size() == 0 || types->size() > kMaxTypes) {
    return fields.fault("/job_types", "must be an array of 1 to " + std::to_string(kMaxTypes) + " job types");
  }
  std::set<std::string> names;
  types->elements([&](JsonValue type) {
    const std::string base = "/job_types/" + std::to_string(out.types.size());
    if (!type.is(JsonKind::Object)) {
      fields.fault(base, "must be an object");
      out.types.emplace_back();
      return;
    }
    ManifestType read = readType(fields, type, base);
    read.info.index = static_cast<int>(out.types.size());
    if (!read.info.name.empty() && !names.insert(read.info.name).second) {
      fields.fault(base + "/name", "is used twice: \"" + read.info.name + "\"");
    }
    out.types.push_back(std::move(read));
  });
}

/// A file that lies beside the manifest: no path out of the folder, nothing hidden, nothing that is a plugin itself.
bool isFileBeside(std::string_view name) {
  const bool plain = !name.empty() && name.size() <= 200 && name.front() != '.' &&
                     name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
  return plain && !name.ends_with(".so") && !name.ends_with(".plugin.json");
}

void readCommand(Fields& fields, JsonValue root, Manifest& out) {
  constexpr std::size_t kMostWords = 64;
  constexpr std::size_t kMostWordBytes = 4096;
  const auto command = fields.member(root, "", "command", true);
  if (!command) return;
  if (!command->is(JsonKind::Array) || command->size() == 0 || command->size() > kMostWords) {
    return fields.fault("/command", "must be an array of 1 to " + std::to_string(kMostWords) +
                                        " strings: the program and its arguments");
  }
  command->elements([&](JsonValue word) {
    const std::string at = "/command/" + std::to_string(out.command.size());
    const bool text = word.is(JsonKind::String) && word.string().size() <= kMostWordBytes &&
                      word.string().find('\0') == std::string_view::npos;
    if (!text) fields.fault(at, "must be a string of at most " + std::to_string(kMostWordBytes) + " bytes without NUL");
    out.command.emplace_back(text ? word.string() : std::string_view());
  });
  std::string& program = out.command.front();
  if (program.starts_with("./")) program.erase(0, 2);
  if (!isFileBeside(program)) {
    fields.fault("/command/0", "must be the name of a file in the manifest's own folder, as \"./handler.py\"");
  }
}

void readProgram(Fields& fields, JsonValue root, Manifest& out) {
  constexpr std::size_t kMostFiles = 64;
  const std::string kind = fields.text(root, "", "kind", 20);
  if (kind == "process") {
    out.kind = PluginKind::Process;
    readCommand(fields, root, out);
    out.files = fields.texts(root, "", "files");
    if (out.files.size() > kMostFiles) {
      fields.fault("/files", "must have at most " + std::to_string(kMostFiles) + " names");
    }
    for (std::size_t i = 0; i < out.files.size(); ++i) {
      std::string& name = out.files[i];
      if (name.starts_with("./")) name.erase(0, 2);
      const std::string at = "/files/" + std::to_string(i);
      if (!isFileBeside(name)) fields.fault(at, "must be the name of a file in the manifest's own folder");
      const bool again = std::find(out.files.begin(), out.files.begin() + static_cast<std::ptrdiff_t>(i), name) !=
                         out.files.begin() + static_cast<std::ptrdiff_t>(i);
      if (again || (!out.command.empty() && name == out.command.front())) fields.fault(at, "is there twice");
    }
    return;
  }
  if (!kind.empty() && kind != "library") fields.fault("/kind", "must be \"library\" or \"process\"");
  for (const char* name : {"command", "files"}) {
    if (root.find(name)) fields.fault(std::string("/") + name, "is for plugins of kind \"process\" only");
  }
}

/// A process speaks no ABI but the protocol, which is negotiated with it; so it need not name one.
void readAbi(Fields& fields, JsonValue root, Manifest& out) {
  if (const auto abi = fields.object(root, "", "abi", out.kind == PluginKind::Library)) {
    out.abi_major = static_cast<int>(fields.whole(*abi, "/abi", "major", 1, 1000, 1, true));
    out.abi_min_minor = static_cast<int>(fields.whole(*abi, "/abi", "min_minor", 0, 100'000, 0));
  }
}

core::Error newer(std::string message) {
  return {core::ErrorCode::Unsupported, std::move(message), {}, {}};
}

/// The load rule of the ABI: same major, and the minor the plugin needs is one the host has.
core::Result<void> checkOffered(const Manifest& manifest, const HostAbi& host) {
  const auto dotted = [](int major, int minor) { return std::to_string(major) + "." + std::to_string(minor); };
  if (manifest.abi_major != host.major || manifest.abi_min_minor > host.minor) {
    const bool old = manifest.abi_major < host.major;
    return newer("needs plugin ABI " + dotted(manifest.abi_major, manifest.abi_min_minor) + (old ? "" : " or newer") +
                 ", this jobhost " + host.host_version + " offers ABI " + dotted(host.major, 0) +
                 (host.minor > 0 ? "–" + dotted(host.major, host.minor) : "") + ". Install " +
                 (old ? "a newer version of the plugin." : "a newer jobhost or an older version of the plugin."));
  }
  for (const std::string& wanted : manifest.required_extensions) {
    if (host.extensions.empty() ||
        std::find(host.extensions.begin(), host.extensions.end(), wanted) != host.extensions.end()) {
      continue;
    }
    return newer("requires the host extension \"" + wanted + "\", which this jobhost " + host.host_version +
                 " does not offer. Install a newer jobhost or an older version of the plugin.");
  }
  return {};
}

}  // namespace

ManifestSummary summaryOf(const Manifest& manifest) {
  ManifestSummary summary{manifest.id, manifest.version, manifest.permissions, {}};
  for (const ManifestType& type : manifest.types) summary.job_types.push_back(type.info.name);
  return summary;
}

PluginKind kindOf(const std::filesystem::path& file) {
  return file.filename().string().ends_with(".plugin.json") ? PluginKind::Process : PluginKind::Library;
}

std::string_view toString(PluginKind kind) {
  return kind == PluginKind::Process ? "process" : "library";
}

core::Result<Manifest> parseManifest(std::string_view json, const HostAbi& host) {
  const auto document = JsonDocument::parse(json, {.max_bytes = kMaxManifest, .max_depth = 32});
  if (!document) {
    core::Error wrong = document.error();
    wrong.message.insert(0, "has a manifest that cannot be read: ");
    return wrong;
  }
  const JsonValue root = document->root();
  Fields fields;
  Manifest out;
  if (!root.is(JsonKind::Object)) {
    fields.fault("", "must be an object");
  } else {
    const auto format = fields.whole(root, "", "manifest", 1, 1'000'000, kFormat, true);
    if (format > kFormat) {
      return newer("has a manifest of format " + std::to_string(format) + ", this jobhost " + host.host_version +
                   " reads format " + std::to_string(kFormat) + ". Install a newer jobhost.");
    }
    fields.known(root, "", {"manifest",      "id",          "version",  "name",    "title",    "description",
                            "vendor",        "license",     "homepage", "abi",     "requires", "job_types",
                            "config_schema", "permissions", "platform", "build",   "prefork",  "schedules",
                            "records",       "idle_ms",     "kind",     "command", "files"});
    out.id = fields.text(root, "", "id", 128, true);
    if (!out.id.empty() && !isPluginId(out.id)) {
      fields.fault("/id",
                   "must be a name in reverse DNS order, of small letters and digits: \"org.example.thumbnail\"");
    }
    out.version = fields.text(root, "", "version", 64, true);
    if (!out.version.empty() && !isVersion(out.version)) {
      fields.fault("/version", "must be a semantic version: \"1.4.2\"");
    }
    out.name = fields.text(root, "", "name", 200);
    if (out.name.empty()) out.name = out.id;
    for (const char* name : {"vendor", "license", "homepage"}) static_cast<void>(fields.text(root, "", name, 400));
    readProgram(fields, root, out);
    readAbi(fields, root, out);
    out.required_extensions = fields.texts(root, "", "requires");
    out.permissions = readPermissions(fields, root);
    out.records = readRecords(fields, root);
    if (const auto config = fields.object(root, "", "config_schema")) {
      out.config_schema_json = config->raw();
      fields.schema(out.config_schema_json, "/config_schema");
    }
    if (const auto schedules = fields.member(root, "", "schedules")) {
      if (!schedules->is(JsonKind::Array)) fields.fault("/schedules", "must be an array");
      out.schedules_json = schedules->raw();
    }
    readTypes(fields, root, out);
  }
  if (!fields.faults_.empty()) {
    const auto& first = fields.faults_.front();
    std::string message = "has a wrong manifest: " + first.pointer + ": " + first.message;
    if (fields.faults_.size() > 1) message += " (and " + std::to_string(fields.faults_.size() - 1) + " more)";
    return core::Error{core::ErrorCode::InvalidArgument, std::move(message), {}, std::move(fields.faults_)};
  }
  for (ManifestType& type : out.types) {
    type.info.plugin_id = out.id;
    type.info.permissions = out.permissions;
    type.info.required_extensions = out.required_extensions;
  }
  out.warnings = std::move(fields.warnings_);
  if (auto offered = checkOffered(out, host); !offered) return offered.error();
  return out;
}

}  // namespace jobhost::catalog
