#include "fetch/failure.hpp"

namespace jobhost::fetch {

std::string_view toString(FailureCode code) {
  switch (code) {
    case FailureCode::InvalidRequest:
      return "http.invalid_request";
    case FailureCode::Scheme:
      return "http.scheme_denied";
    case FailureCode::HostDenied:
      return "http.host_denied";
    case FailureCode::AddressDenied:
      return "http.address_denied";
    case FailureCode::Dns:
      return "http.dns";
    case FailureCode::Connect:
      return "http.connect";
    case FailureCode::Tls:
      return "http.tls";
    case FailureCode::ConnectTimeout:
      return "http.connect_timeout";
    case FailureCode::Timeout:
      return "http.timeout";
    case FailureCode::TooSlow:
      return "http.too_slow";
    case FailureCode::Truncated:
      return "http.truncated";
    case FailureCode::Protocol:
      return "http.protocol";
    case FailureCode::HeadersTooLarge:
      return "http.headers_too_large";
    case FailureCode::BodyTooLarge:
      return "http.body_too_large";
    case FailureCode::Decompression:
      return "http.decompression";
    case FailureCode::TooManyRedirects:
      return "http.too_many_redirects";
    case FailureCode::BadRedirect:
      return "http.bad_redirect";
    case FailureCode::Busy:
      return "http.busy";
    case FailureCode::Disk:
      return "http.disk";
    case FailureCode::Canceled:
      return "http.canceled";
    case FailureCode::ShuttingDown:
      return "http.shutting_down";
    case FailureCode::Internal:
      return "http.internal";
  }
  return "http.internal";
}

bool isPassing(FailureCode code) {
  switch (code) {
    case FailureCode::Dns:
    case FailureCode::Connect:
    case FailureCode::ConnectTimeout:
    case FailureCode::Timeout:
    case FailureCode::TooSlow:
    case FailureCode::Truncated:
    case FailureCode::Busy:
    case FailureCode::ShuttingDown:
      return true;
    default:
      return false;
  }
}

}  // namespace jobhost::fetch
