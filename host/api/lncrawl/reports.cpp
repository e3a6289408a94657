#include "api/lncrawl/reports.hpp"

#include <utility>
#include <vector>

#include "api/auth/secrets.hpp"
#include "api/lncrawl/record_slice.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr std::size_t kMaxSubject = 200;
constexpr std::size_t kMaxMessage = 5'000;
constexpr std::size_t kMaxExtra = 8'192;
constexpr std::int64_t kMostReports = 1'000;  ///< of one user
constexpr std::string_view kParent = "reports";

// Numbers as upstream has them.
std::vector<std::int64_t> types() {
  return {0, 1, 2};  // general, an issue, a feature
}
std::vector<std::int64_t> statuses() {
  return {0, 1, 2};  // pending, accepted, resolved
}

/// An object of the client's own, as it came; "{}" where there is none.
std::string readExtra(BodyFields& fields) {
  if (!fields.has("extra")) return "{}";
  const auto& given = *fields.value("extra", false);
  if (given.kind != JsonKind::Object) {
    fields.fault({"dict_type", {"body", "extra"}, "Input should be a valid dictionary", std::string(given.raw)});
  } else if (given.raw.size() > kMaxExtra) {
    fields.fault({"too_long", {"body", "extra"}, "Dictionary should have at most 8192 bytes", "null"});
  } else if (!numbersFit(given.raw)) {
    fields.fault({"finite_number", {"body", "extra"}, "Input should be a finite number", std::string(given.raw)});
  }
  return std::string(given.raw);
}

}  // namespace

struct Reports::Report {
  std::string user;
  std::int64_t type = 0;
  std::int64_t status = 0;
  std::string subject;
  std::string message;
  std::optional<std::string> notes;
  std::string extra_json = "{}";

  static Report of(const RecordDoc& record) {
    return {record.text("user_id").value_or(""),  record.integer("type").value_or(0),
            record.integer("status").value_or(0), record.text("subject").value_or(""),
            record.text("message").value_or(""),  record.text("admin_notes"),
            std::string(record.raw("extra"))};
  }
  /// Its members but the id, the times and `extra`.
  void write(JsonWriter& json) const {
    json.key("user_id").string(user).key("type").number(type).key("status").number(status);
    json.key("subject").string(subject).key("message").string(message).key("admin_notes");
    notes ? json.string(*notes) : json.null();
  }
};

core::Result<std::optional<RecordDoc>> Reports::find(const Call& call) const {
  auto found = parts_.records.find(kReports.plugin, kReports.collection, call.captures[0]);
  if (found && *found && isOrphan(**found)) return std::optional<RecordDoc>();
  return found;
}

bool Reports::isOrphan(const RecordDoc& report) const {
  return !parts_.deps.accounts.find(report.text("user_id").value_or(""));
}

void Reports::write(JsonWriter& json, const RecordDoc& record) const {
  const auto report = Report::of(record);
  json.beginObject().key("id").string(record.key());
  json.key("created_at").number(record.createdMs()).key("updated_at").number(record.updatedMs());
  json.key("extra").beginObject();
  if (const auto extra = parseJson(report.extra_json)) {
    for (const auto& member : extra->members) {
      const auto name = unescape(member.raw_key);
      if (name != "user_name") json.key(name).raw(member.value.raw);
    }
  }
  const auto author = parts_.deps.accounts.find(report.user);
  json.key("user_name");
  author ? json.string(author->name) : json.null();
  json.endObject();
  report.write(json);
  json.endObject();
}

Response Reports::put(std::string id, const Report& report, std::string sort) {
  JsonWriter json;
  json.beginObject();
  report.write(json);
  json.key("extra").raw(report.extra_json).endObject();
  auto write = writeOf(kReports, id, json.take(), std::string(kParent));
  write.sort = std::move(sort);
  if (auto written = records_.write({std::move(write)}); !written) return failure(written.error());
  const auto stored = parts_.records.find(kReports.plugin, kReports.collection, id);
  if (!stored) return failure(stored.error());
  if (!*stored) return noSuch("feedback");
  JsonWriter answered;
  this->write(answered, **stored);
  return answer(answered.take());
}

Response Reports::list(const Call& call) const {
  QueryFields query(call.request);
  const auto span = query.span();
  auto text = query.filter("search");
  const auto status = query.oneOf("status", statuses());
  const auto type = query.oneOf("type", types());
  if (!query.faults().empty()) return invalid(query.faults());
  auto wanted = kReports.childrenOf(std::string(kParent));
  wanted.descending = true;
  const auto limit = static_cast<int>(span.limit);
  if (text) text = folded(*std::move(text));
  const auto matches = [&](const store::Record& record) {
    return (!text || hasPart(record, "subject", *text) || hasPart(record, "message", *text)) &&
           (!status || isMember(record, "status", std::to_string(*status))) &&
           (!type || isMember(record, "type", std::to_string(*type)));
  };
  const bool all = !text && !status && !type;
  const auto slice = all ? sliceOf(records_.store(), std::move(wanted), span.offset, limit)
                         : sliceOf(records_.store(), std::move(wanted), span.offset, limit, matches);
  if (!slice) return failure(slice.error());
  std::vector<store::RecordWrite> orphans;
  auto response = answerList(slice->total, span, [&](JsonWriter& json) {
    for (const auto& record : slice->records) {
      const auto report = RecordDoc::open(record);
      if (report && isOrphan(*report)) orphans.push_back(writeOf(kReports, record.key));
      if (report && orphans.empty()) write(json, *report);
    }
  });
  if (orphans.empty()) return response;
  const auto removed = records_.write(std::move(orphans));
  return removed ? list(call) : failure(removed.error());
}

Response Reports::create(const Call& call) {
  const auto body = call.request.body->all(parts_.options.http.body_bytes);
  if (!body) return failure(body.error());
  BodyFields fields(*body);
  Report report;
  report.user = call.principal->id;
  report.type = fields.oneOf("type", types()).value_or(0);
  report.subject = fields.title("subject", kMaxSubject).value_or("");
  report.message = fields.textOrNull("message", kMaxMessage).value_or("");
  report.extra_json = readExtra(fields);
  if (!fields.faults().empty()) return invalid(fields.faults());
  auto id = randomUuid();
  if (!id) return failure(id.error());
  const std::lock_guard lock(changing_);
  const auto mine = kReports.having("user_id", report.user);
  const auto count = mine ? parts_.records.count(*mine) : core::Result<std::int64_t>(kMostReports);
  if (!count) return failure(count.error());
  if (*count >= kMostReports)
    return failure(403, "Too many reports", "One user can have " + std::to_string(kMostReports));
  const auto now = core::toMicros(parts_.deps.clock.now());
  return put(*std::move(id), report, *store::orderKey(std::to_string(now)));
}

Response Reports::show(const Call& call) const {
  const auto found = find(call);
  if (!found) return failure(found.error());
  if (!*found) return noSuch("feedback");
  JsonWriter json;
  write(json, **found);
  return answer(json.take());
}

Response Reports::change(const Call& call) {
  const auto body = call.request.body->all(parts_.options.http.body_bytes);
  if (!body) return failure(body.error());
  const std::lock_guard lock(changing_);
  const auto found = find(call);
  if (!found) return failure(found.error());
  if (!*found) return noSuch("feedback");
  auto report = Report::of(**found);
  if (report.user != call.principal->id) return forbidden();
  BodyFields fields(*body);
  if (fields.has("type")) report.type = fields.oneOf("type", types()).value_or(0);
  if (fields.has("subject")) report.subject = fields.title("subject", kMaxSubject).value_or("");
  if (auto message = fields.textOrNull("message", kMaxMessage)) report.message = *std::move(message);
  if (!fields.faults().empty()) return invalid(fields.faults());
  return put((*found)->key(), report, (*found)->record().sort);
}

Response Reports::respond(const Call& call) {
  const auto body = call.request.body->all(parts_.options.http.body_bytes);
  if (!body) return failure(body.error());
  BodyFields fields(*body);
  const auto status = fields.oneOf("status", statuses());
  auto notes = fields.textOrNull("admin_notes", kMaxMessage).value_or("");
  if (!fields.faults().empty()) return invalid(fields.faults());
  const std::lock_guard lock(changing_);
  const auto found = find(call);
  if (!found) return failure(found.error());
  if (!*found) return noSuch("feedback");
  auto report = Report::of(**found);
  report.status = *status;
  report.notes = std::move(notes);
  return put((*found)->key(), report, (*found)->record().sort);
}

Response Reports::remove(const Call& call) {
  const std::lock_guard lock(changing_);
  const auto found = find(call);
  if (!found) return failure(found.error());
  if (!*found) return answerTrue();
  if (!call.principal->reaches((*found)->text("user_id").value_or(""))) return forbidden();
  const auto removed = records_.write({writeOf(kReports, (*found)->key())});
  return removed ? answerTrue() : failure(removed.error());
}

}  // namespace jobhost::api::lncrawl
