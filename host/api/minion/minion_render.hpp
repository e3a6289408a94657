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
/// 400 in a shape that clients of both upstream generations read: `errors` and `error` with `success` 0.
Response complainTwice(std::string_view operation, const Complaint& complaint);
/// inactive | active | finished | failed
std::string_view stateWord(core::JobState state);
/// The four keys of the open status route.
std::string statusJson(const core::Job& job);
/// The 18 keys of the detail route, scalars as strings, as upstream's Redis back end has them. `positional` is the
/// order of the type's params in args.
std::string detailJson(const core::Job& job, const std::vector<std::string>& positional);
/// `{"job":12,"operation":…,"success":1}`
std::string acceptedJson(std::string_view operation, core::JobId job);

}  // namespace jobhost::api::minion
