#include "support/job/job_failures.hpp"

namespace jobhost::support {
namespace {

std::int32_t classOf(FailureKind kind) {
  switch (kind) {
    case FailureKind::Denied:
      return JH_CLASS_DENIED;
    case FailureKind::Io:
      return JH_CLASS_TRANSIENT;
    case FailureKind::BadInput:
    case FailureKind::Limit:
    case FailureKind::NotFound:
    case FailureKind::Unsupported:
    case FailureKind::Encrypted:
    case FailureKind::Damaged:
      return JH_CLASS_BAD_INPUT;
  }
  return JH_CLASS_INTERNAL;
}

}  // namespace

Error toError(const Failure& failure) {
  return {classOf(failure.kind()), failure.code(), failure.what()};
}

Error toMinionError(const Failure& failure, const std::string& message) {
  return Error(classOf(failure.kind()), failure.code(), message)
      .details(Json{{"errors", Json::array({message})}}.dump());
}

StopCheck stopCheckOf(const Job& job) {
  return [&job] { return job.cancelled() != JH_CANCEL_NO; };
}

}  // namespace jobhost::support
