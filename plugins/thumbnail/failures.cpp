#include "thumbnail/failures.hpp"

namespace jobhost::thumbnail {
namespace {

std::int32_t classOf(support::FailureKind kind) {
  switch (kind) {
    case support::FailureKind::Denied:
      return JH_CLASS_DENIED;
    case support::FailureKind::Io:
      return JH_CLASS_TRANSIENT;
    case support::FailureKind::BadInput:
    case support::FailureKind::Limit:
    case support::FailureKind::NotFound:
    case support::FailureKind::Unsupported:
    case support::FailureKind::Encrypted:
    case support::FailureKind::Damaged:
      return JH_CLASS_BAD_INPUT;
  }
  return JH_CLASS_INTERNAL;
}

}  // namespace

Error toError(const support::Failure& failure) {
  return {classOf(failure.kind()), failure.code(), failure.what()};
}

Error toMinionError(const support::Failure& failure, const std::string& message) {
  return Error(classOf(failure.kind()), failure.code(), message)
      .details(Json{{"errors", Json::array({message})}}.dump());
}

support::StopCheck stopCheckOf(const Job& job) {
  return [&job] { return job.cancelled() != JH_CANCEL_NO; };
}

}  // namespace jobhost::thumbnail
