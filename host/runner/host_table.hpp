#pragma once

#include "jobhost/abi.h"
#include "runner/session.hpp"

namespace jobhost::runner {

/// The jh_host the plugin gets: C functions over the one Session of this process. [module] lifetime.
const jh_host* makeHostTable(Session& session);

/// Text of the last ERROR line the plugin logged during init(), for the refusal; empty: none.
std::string lastInitError();

// For the extension tables.

/// The session behind the C functions; set by makeHostTable.
Session& theSession();
/// Keeps the text for last_error() on this thread and answers the code; leaves a breadcrumb.
jh_result answer(wire::SdkCall call, jh_result code, std::string why = {});
/// answer() for an Outcome.
inline jh_result answer(wire::SdkCall call, Outcome outcome) {
  return answer(call, outcome.code, std::move(outcome.why));
}
/// answer() for a job that is not running.
jh_result misuse(wire::SdkCall call);
inline std::string_view view(jh_str text) {
  return text.data != nullptr ? std::string_view(text.data, text.len) : std::string_view();
}

const jh_output_v1* outputExtension();
const jh_input_v1* inputExtension();
const jh_temp_v1* tempExtension();
const jh_config_v1* configExtension();
const jh_cancel_v1* cancelExtension();
const jh_http_v1* httpExtension();
const jh_process_v1* processExtension();
const jh_children_v1* childrenExtension();
const jh_checkpoint_v1* checkpointExtension();
const jh_records_v1* recordsExtension();
const jh_kv_v1* kvExtension();

}  // namespace jobhost::runner
