#include "fetch/transfer.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/text.hpp"
#include "fetch/header_rules.hpp"
#include "fetch/retry_rule.hpp"

namespace jobhost::fetch {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kThrownAwayBytes = 64 * 1024;  // of a redirect's body, before the connection is given up
constexpr std::int64_t kRatioCountsFrom = 1 << 20;
constexpr milliseconds kTimerSlack{20};

std::string printable(std::string_view text) {
  return core::printable(text, 200);
}

long asLong(std::int64_t number) {
  return static_cast<long>(number);
}

milliseconds between(Transfer::Steady::time_point from, Transfer::Steady::time_point to) {
  return std::chrono::duration_cast<milliseconds>(to - from);
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

}  // namespace

Transfer::Transfer(Client::Ticket ticket, Request request, std::shared_ptr<BodySink> sink, Client::Done done,
                   const ClientOptions& options, Steady::time_point now)
    : ticket_(ticket),
      request_bytes_(request.body.size()),
      request_(std::move(request)),
      sink_(std::move(sink)),
      done_(std::move(done)),
      options_(options),
      started_(now),
      deadline_(now + request_.timeout.value_or(options.timeout)),
      max_body_(request_.max_body_bytes.value_or(options.max_body_bytes)),
      max_redirects_(request_.max_redirects.value_or(options.max_redirects)),
      random_(static_cast<std::minstd_rand::result_type>(ticket * 2654435761U + 1)),
      method_(request_.method),
      headers_(request_.headers),
      sends_body_(!request_.body.empty()) {}

Transfer::~Transfer() {
  breakOff();
}

std::optional<Failure> Transfer::prepare() {
  const auto wrong = [](std::string why) { return Failure{FailureCode::InvalidRequest, std::move(why)}; };
  if (!isKnownMethod(method_)) {
    return wrong("method: must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, is \"" + printable(method_) +
                 "\"");
  }
  auto parsed = parseUrl(request_.url);
  if (auto* failed = std::get_if<Failure>(&parsed)) return *failed;
  url_ = std::get<Url>(std::move(parsed));
  const auto outside = [&](const char* name, std::int64_t value, std::int64_t least, std::int64_t most) {
    return failure(FailureCode::InvalidRequest, std::string(name) + ": must be from " + std::to_string(least) + " to " +
                                                    std::to_string(most) + ", is " + std::to_string(value));
  };
  const auto check = [&](const char* name, const auto& value, std::int64_t least,
                         std::int64_t most) -> std::optional<Failure> {
    if (value && (*value < least || *value > most)) return outside(name, *value, least, most);
    return std::nullopt;
  };
  const auto millis = [](const auto& value) {
    return value ? std::optional<std::int64_t>(value->count()) : std::nullopt;
  };
  const std::int64_t most_ms = options_.max_timeout.count();
  if (auto bad = check("timeout_ms", millis(request_.timeout), 1, most_ms)) return bad;
  if (auto bad = check("connect_timeout_ms", millis(request_.connect_timeout), 1, most_ms)) return bad;
  if (auto bad = check("max_body_bytes", request_.max_body_bytes, 0, options_.max_body_bytes)) return bad;
  if (auto bad = check("max_redirects", request_.max_redirects, 0, options_.max_redirects)) return bad;
  if (auto bad = check("retries", std::optional<int>(request_.retries), 0, options_.max_retries)) return bad;
  if (auto bad = check("body", std::optional<std::int64_t>(request_.body.size()), 0,
                       static_cast<std::int64_t>(options_.max_request_bytes))) {
    bad->message += " bytes";
    return bad;
  }
  if (request_.retries > 0 && !isIdempotent(method_)) {
    return failure(FailureCode::InvalidRequest, "retries: a " + method_ + " must not be repeated");
  }
  if (sends_body_ && (method_ == "GET" || method_ == "HEAD")) {
    return failure(FailureCode::InvalidRequest, "body: a " + method_ + " has none");
  }
  if (auto problem = problemOf(headers_)) return failure(FailureCode::InvalidRequest, *problem);
  return checkTarget(url_);
}

std::optional<Failure> Transfer::checkTarget(const Url& url) const {
  const auto& hosts = request_.allowed_hosts;
  if (std::none_of(hosts.begin(), hosts.end(), [&](const auto& one) { return hostMatches(one, url.host); })) {
    return failure(FailureCode::HostDenied, "the host \"" + printable(url.host) + "\" is not among those allowed");
  }
  // Behind a proxy no socket to the target is made here: what can be judged is an address in the URL itself.
  const auto address = Address::parse(url.host);
  if (address && !options_.guard.allows(*address)) {
    return failure(FailureCode::AddressDenied, address->text() + " is " + std::string(toString(kindOf(*address))) +
                                                   ", which the host does not reach");
  }
  return std::nullopt;
}

std::variant<CURL*, Failure> Transfer::begin(Steady::time_point now) {
  CURL* easy = curl_easy_init();
  if (easy == nullptr) return failure(FailureCode::Internal, "out of memory");
  easy_ = easy;
  error_text_[0] = '\0';
  refused_.clear();
  header_bytes_ = 0;
  status_ = 0;
  response_headers_.clear();
  head_done_ = redirecting_ = cut_ = looked_up_ = false;
  body_bytes_ = 0;
  stopped_.reset();
  setUp(easy, now);
  setMethod(easy);
  setHeaders(easy);
  if (request_.cookies) request_.cookies->attach(easy);
  return easy;
}

void Transfer::setUp(CURL* easy, Steady::time_point now) {
  const milliseconds left = std::max(milliseconds(1), between(now, deadline_));
  const milliseconds connect = std::min(left, request_.connect_timeout.value_or(options_.connect_timeout));
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_URL, url_.text.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a lookup that hangs is left behind, not waited for
  curl_easy_setopt(easy, CURLOPT_PROXY, options_.proxy.c_str());
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, asLong(left.count()));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, asLong(connect.count()));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, asLong(options_.slow_bytes_per_s));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, asLong(options_.slow_after.count()));
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 64L * 1024);
  if (request_.decompress) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");  // all that libcurl can unpack
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text_.data());
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Transfer::openSocket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::onHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::onBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  resolve_list_.reset();
  for (const auto& entry : options_.resolve) {
    resolve_list_.reset(curl_slist_append(resolve_list_.release(), entry.c_str()));
  }
  if (resolve_list_) curl_easy_setopt(easy, CURLOPT_RESOLVE, resolve_list_.get());
}

void Transfer::setMethod(CURL* easy) {
  if (method_ == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  if (method_ == "GET") {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    return;
  }
  if (sends_body_ || method_ == "POST" || method_ == "PUT" || method_ == "PATCH") {
    const std::size_t size = sends_body_ ? request_.body.size() : 0;
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(size));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, size > 0 ? request_.body.data() : "");
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method_.c_str());
}

void Transfer::setHeaders(CURL* easy) {
  curl_slist* list = nullptr;
  bool agent = false;
  bool type = false;
  bool accept = false;
  for (const auto& [name, value] : headers_) {
    agent = agent || equalsIgnoringCase(name, "user-agent");
    type = type || equalsIgnoringCase(name, "content-type");
    accept = accept || equalsIgnoringCase(name, "accept");
    // "Name;" is libcurl's way to say a header without a value.
    list = curl_slist_append(list, (value.empty() ? name + ";" : name + ": " + value).c_str());
  }
  list = curl_slist_append(list, "Expect:");  // no 100-continue: it costs a round trip, and a second where unknown
  if (!type) list = curl_slist_append(list, "Content-Type:");
  if (!accept) list = curl_slist_append(list, "Accept: */*");
  if (!agent) curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
  header_list_.reset(list);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
}

curl_socket_t Transfer::openSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& me = *static_cast<Transfer*>(self);
  me.looked_up_ = true;
  if (me.options_.proxy.empty()) {  // with one, this is the proxy's own address, which the operator chose
    const auto target = Address::from(address->addr);
    if (!target || !me.options_.guard.allows(*target)) {
      me.refused_ = target ? target->text() + " is " + std::string(toString(kindOf(*target))) : "no IP address";
      return CURL_SOCKET_BAD;
    }
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t Transfer::onHeader(char* data, std::size_t size, std::size_t count, void* self) {
  const std::size_t bytes = size * count;
  return static_cast<Transfer*>(self)->headerLine({data, bytes}) ? bytes : 0;
}

std::size_t Transfer::onBody(char* data, std::size_t size, std::size_t count, void* self) {
  const std::size_t bytes = size * count;
  if (bytes == 0) return 0;
  return static_cast<Transfer*>(self)->body({data, bytes}) ? bytes : 0;
}

bool Transfer::stop(FailureCode code, const std::string& why) {
  stopped_ = failure(code, why);
  return false;
}

bool Transfer::headerLine(std::string_view line) {
  looked_up_ = true;  // also on a connection that was kept
  header_bytes_ += line.size();
  if (header_bytes_ > options_.max_header_bytes) {
    return stop(FailureCode::HeadersTooLarge,
                "the response has more than " + std::to_string(options_.max_header_bytes) + " bytes of headers");
  }
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (head_done_) return true;  // a trailer: nobody asked for it
  if (line.rfind("HTTP/", 0) == 0) {
    const auto space = line.find(' ');
    status_ = 0;
    if (space != std::string_view::npos) {
      std::from_chars(line.data() + space + 1, line.data() + line.size(), status_);
    }
    response_headers_.clear();
    return true;
  }
  if (line.empty()) return status_ >= 200 ? headEnded() : true;  // 1xx: another head follows
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return true;
  response_headers_.push_back({lowered(line.substr(0, colon)), trimmed(line.substr(colon + 1))});
  return true;
}

bool Transfer::headEnded() {
  head_done_ = true;
  const bool has_location = std::any_of(response_headers_.begin(), response_headers_.end(),
                                        [](const Header& one) { return one.name == "location"; });
  redirecting_ = isRedirect(status_) && has_location && max_redirects_ > 0;
  if (redirecting_ || method_ == "HEAD") return true;
  for (const auto& [name, value] : response_headers_) {
    std::int64_t announced = 0;
    if (name != "content-length") continue;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), announced);
    if (read.ec == std::errc() && announced > max_body_) {
      return stop(FailureCode::BodyTooLarge, "the body of " + std::to_string(announced) +
                                                 " bytes is over the limit of " + std::to_string(max_body_));
    }
  }
  return true;
}

bool Transfer::unpacked() const {
  return request_.decompress && std::any_of(response_headers_.begin(), response_headers_.end(), [](const Header& one) {
           return one.name == "content-encoding" && !one.value.empty() && !equalsIgnoringCase(one.value, "identity");
         });
}

bool Transfer::body(std::string_view bytes) {
  body_bytes_ += static_cast<std::int64_t>(bytes.size());
  if (redirecting_) {
    cut_ = body_bytes_ > kThrownAwayBytes;
    return !cut_;
  }
  if (body_bytes_ > max_body_) {
    return stop(FailureCode::BodyTooLarge,
                "the body is longer than the limit of " + std::to_string(max_body_) + " bytes");
  }
  if (body_bytes_ > kRatioCountsFrom && unpacked()) {
    curl_off_t came = 0;
    curl_easy_getinfo(easy_, CURLINFO_SIZE_DOWNLOAD_T, &came);
    if (body_bytes_ > options_.max_unpack_ratio * std::max<std::int64_t>(came, 1)) {
      return stop(FailureCode::Decompression, "the body grows to more than " +
                                                  std::to_string(options_.max_unpack_ratio) +
                                                  " times its size on being unpacked");
    }
  }
  if (auto written = sink_->write(bytes); !written) return stop(FailureCode::Disk, written.error().message);
  return true;
}

void Transfer::breakOff() {
  if (easy_ == nullptr) return;
  if (request_.cookies) request_.cookies->settle(easy_);
  curl_easy_cleanup(easy_);
  easy_ = nullptr;
}

Transfer::Next Transfer::ended(CURLcode code, Steady::time_point now) {
  // A redirect is known by its head; what becomes of its body matters to nobody.
  const bool head_is_enough = redirecting_ && (cut_ || code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR);
  Next next = Again{};
  if (stopped_) {
    next = Client::Outcome(*stopped_);
  } else if (code != CURLE_OK && !head_is_enough) {
    next = failed(translate(code, now), now);
  } else if (redirecting_) {
    next = follow();
  } else {
    next = answered(now);
  }
  breakOff();
  return next;
}

Transfer::Next Transfer::follow() {
  const auto location = std::find_if(response_headers_.begin(), response_headers_.end(),
                                     [](const Header& one) { return one.name == "location"; });
  if (redirects_ >= max_redirects_) {
    return Client::Outcome(
        failure(FailureCode::TooManyRedirects, "more than " + std::to_string(max_redirects_) + " redirects"));
  }
  auto resolved = resolveUrl(url_, location->value);
  if (const auto* bad = std::get_if<Failure>(&resolved)) {
    return Client::Outcome(failure(bad->code, "redirected: " + bad->message));
  }
  Url target = std::get<Url>(std::move(resolved));
  if (auto refused = checkTarget(target)) {
    refused->message += " (redirected to " + target.shown + ")";
    return Client::Outcome(*refused);
  }
  const std::string method = methodAfter(status_, method_);
  const bool keeps_body = sends_body_ && method == method_;
  headers_ = headersAfter(headers_, url_.sameOrigin(target), keeps_body);
  method_ = method;
  sends_body_ = keeps_body;
  url_ = std::move(target);
  ++redirects_;
  return Again{};
}

Transfer::Next Transfer::failed(const Failure& failure, Steady::time_point now) {
  // A time-out of the whole is final: there is no time left for more.
  if (isPassing(failure.code) && failure.code != FailureCode::Timeout) {
    if (auto again = retry(now, std::nullopt)) return *again;
  }
  return Client::Outcome(failure);
}

Transfer::Next Transfer::answered(Steady::time_point now) {
  curl_off_t seconds = 0;
  curl_easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &seconds);
  std::optional<milliseconds> retry_after;
  if (seconds > 0) retry_after = std::chrono::seconds(seconds);
  if (isPassingStatus(status_)) {
    if (auto again = retry(now, retry_after)) return *again;
  }
  Response response;
  response.status = status_;
  response.headers = std::move(response_headers_);
  response.url = url_.visible;
  response.redirects = redirects_;
  response.tries = tries_;
  response.body_bytes = body_bytes_;
  curl_off_t came = 0;
  curl_easy_getinfo(easy_, CURLINFO_SIZE_DOWNLOAD_T, &came);
  response.wire_bytes = came;
  response.retry_after = retry_after;
  response.elapsed = between(started_, now);
  return Client::Outcome(std::move(response));
}

std::optional<Transfer::Next> Transfer::retry(Steady::time_point now, std::optional<milliseconds> retry_after) {
  if (tries_ > request_.retries) return std::nullopt;
  const auto pause = pauseBefore(tries_, retry_after, between(now, deadline_), random_);
  if (!pause) return std::nullopt;
  if (auto emptied = sink_->reset(); !emptied) {
    return Next(Client::Outcome(failure(FailureCode::Disk, emptied.error().message)));
  }
  ++tries_;
  return Next(Pause{now + *pause});
}

Failure Transfer::failure(FailureCode code, const std::string& why) const {
  return {code, method_ + " " + url_.shown + ": " + why};
}

Failure Transfer::translate(CURLcode code, Steady::time_point now) const {
  const std::string text = printable(error_text_[0] != '\0' ? error_text_.data() : curl_easy_strerror(code));
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return failure(FailureCode::Dns, "the name \"" + printable(url_.host) + "\" does not resolve");
    case CURLE_COULDNT_CONNECT:
      if (!refused_.empty()) {
        return failure(FailureCode::AddressDenied, "the name leads to " + refused_ + ", which the host does not reach");
      }
      return failure(FailureCode::Connect, text);
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return failure(FailureCode::Connect, text);
    case CURLE_OPERATION_TIMEDOUT: {
      if (now + kTimerSlack >= deadline_) {
        return failure(FailureCode::Timeout,
                       "not done within " + std::to_string(between(started_, deadline_).count()) + " ms");
      }
      curl_off_t ready_us = 0;
      curl_easy_getinfo(easy_, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
      if (ready_us == 0) return failure(FailureCode::ConnectTimeout, "no connection in time");
      return failure(FailureCode::TooSlow, "fewer than " + std::to_string(options_.slow_bytes_per_s) +
                                               " bytes a second for " + std::to_string(options_.slow_after.count()) +
                                               " s");
    }
    case CURLE_PARTIAL_FILE:
      return failure(FailureCode::Truncated, "the body ended before it was whole (" + text + ")");
    case CURLE_GOT_NOTHING:
      return failure(FailureCode::Connect, "the server closed the connection without an answer");
    case CURLE_RECV_ERROR:
      return head_done_ ? failure(FailureCode::Truncated, "the connection broke in the body (" + text + ")")
                        : failure(FailureCode::Connect, text);
    case CURLE_BAD_CONTENT_ENCODING:
      return failure(FailureCode::Decompression, "the body cannot be unpacked (" + text + ")");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return failure(FailureCode::Tls, text);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return failure(FailureCode::Protocol, "what came is not HTTP (" + text + ")");
    default:
      return failure(FailureCode::Internal, text);
  }
}

void Transfer::finish(Client::Outcome outcome) {
  if (done_) std::exchange(done_, nullptr)(std::move(outcome));
}

}  // namespace jobhost::fetch
