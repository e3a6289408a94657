#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/http_types.hpp"
#include "core/job.hpp"

namespace jobhost::api::minion {

struct Complaint {
  std::string message;
  std::string path;
};

/// A body with upstream's content type.
Response answer(int status, std::string body);
/// `{"errors":[{"message":…,"path":…}],"status":…}`
Response complain(int status, const std::vector<Complaint>& complaints);
/// inactive | active | finished | failed
std::string_view stateWord(core::JobState state);
/// The four keys of the open status route.
std::string statusJson(const core::Job& job);
/// The 18 keys of the detail route, scalars as strings, as upstream's Redis back end has them. `positional` is the
/// order of the type's params in args.
std::string detailJson(const core::Job& job, const std::vector<std::string>& positional);
/// What OPTIONS answers for a path.
std::string describeJson(std::string_view operation);

}  // namespace jobhost::api::minion
