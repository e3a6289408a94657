#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/json_writer.hpp"
#include "catalog/catalog.hpp"
#include "catalog/job_type.hpp"
#include "core/event.hpp"
#include "core/job.hpp"
#include "jobs/job_service.hpp"
#include "store/job_store.hpp"
#include "store/principal_store.hpp"

namespace jobhost::api::native {

/// Our documents as JSON. Pure. Absent values are null; times are RFC 3339; ids are integers; durations end in _ms.

/// `types` tells whether there is a plugin to run it; `with_documents` false leaves params, result, notes and outputs
/// out.
void writeJob(JsonWriter& json, const core::Job& job, const catalog::Snapshot& types, bool with_documents = true);
std::string jobJson(const core::Job& job, const catalog::Snapshot& types);
/// `type`: its job type.
void writeSubmitted(JsonWriter& json, const store::Submitted& submitted, std::string_view type,
                    const catalog::Snapshot& types);
/// The elements of an array of them; `names` are their types, in the same order.
void writeSubmitted(JsonWriter& json, const std::vector<store::Submitted>& submitted,
                    const std::vector<std::string>& names, const catalog::Snapshot& types);
void writeBatch(JsonWriter& json, const store::Batch& batch);
/// The members of it alone, for an object that has more.
void writeBatchMembers(JsonWriter& json, const store::Batch& batch);
/// The members that say what a command over many jobs did.
void writeOutcome(JsonWriter& json, const jobs::JobService::BulkOutcome& outcome);
/// What an event's kind adds. Failures are spelt as in the job; the store's own spelling is not shown.
void writeEventData(JsonWriter& json, const core::JobEvent& event);
void writeBackoff(JsonWriter& json, const core::Backoff& backoff);
void writeOutput(JsonWriter& json, core::JobId job, const core::Output& output);
void writeJobType(JsonWriter& json, const catalog::JobTypeInfo& type);
void writePlugin(JsonWriter& json, const catalog::PluginStatus& plugin);
/// `raw` is the key itself, for the one answer that shows it; empty otherwise.
void writeKey(JsonWriter& json, const store::ApiKey& key, const std::string& raw = {});

void writeUser(JsonWriter& json, const store::User& user);
/// `current`: the session that asks.
void writeSession(JsonWriter& json, const store::Session& session, bool current);
void writeAudit(JsonWriter& json, const store::AuditLine& line);

std::string_view toString(core::ErrorClass error_class);
std::string_view toString(core::BackoffKind kind);

/// Percent-encodes a path for use in a URL; slashes stay.
std::string encodePath(std::string_view path);

}  // namespace jobhost::api::native
