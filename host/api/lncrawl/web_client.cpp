#include "api/lncrawl/web_client.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "api/encoding.hpp"
#include "api/lncrawl/errors.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr std::string_view kPage = "index.html";
constexpr std::string_view kOthers[] = {"api", "static", "healthz", "readyz", "metrics"};  ///< first segments
/// Which decide what a browser runs: an old one must not be kept when the client was built anew.
constexpr std::string_view kNeverKept[] = {kPage, "sw.js", "registerSW.js"};

bool isOf(const std::string_view* first, const std::string_view* last, std::string_view word) {
  return std::find(first, last, word) != last;
}

}  // namespace

bool WebClient::owns(std::string_view path) const {
  if (!path.starts_with('/')) return false;
  const auto rest = path.substr(1);
  return !isOf(std::begin(kOthers), std::end(kOthers), rest.substr(0, rest.find('/')));
}

Response WebClient::failure(const core::Error& error, int status) const {
  return refusal(error, status);  // the server has told its own log
}

Response WebClient::handle(Request& request) {
  if (request.method != Method::Get && request.method != Method::Head) {
    auto refused = answer(R"({"detail":"Method Not Allowed"})", 405);
    refused.with("Allow", "GET, HEAD");
    return refused;
  }
  auto name = percentDecode(request.path.substr(1), false).value_or("");
  auto file = files_.open(name);
  if (file && !*file) {
    name = kPage;
    file = files_.open(name);
  }
  if (!file) return lncrawl::failure(file.error());
  if (!*file) return noSuch("file");
  Response response;
  response.content_type = mediaTypeOf(name);
  response.with("X-Content-Type-Options", "nosniff");
  const bool kept = !isOf(std::begin(kNeverKept), std::end(kNeverKept), name);
  response.with("Cache-Control", kept ? "no-cache" : "no-cache, no-store, must-revalidate");
  answerWith(std::move(**file), request, response);
  return response;
}

}  // namespace jobhost::api::lncrawl
