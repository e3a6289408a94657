#pragma once

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <variant>

#include "fetch/client.hpp"
#include "fetch/url.hpp"

namespace jobhost::fetch {

/// One fetch on its way: its hops (a redirect makes the next) and its tries. Each hop has a CURL handle of its own;
/// connections are kept by the client's multi handle. Belongs to the client's thread.
class Transfer {
 public:
  using Steady = std::chrono::steady_clock;
  enum class State { Waiting, Running, Pausing };

  Transfer(Client::Ticket ticket, Request request, std::shared_ptr<BodySink> sink, Client::Done done,
           const ClientOptions& options, Steady::time_point now);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  /// Checks the request; a Failure says what is wrong with it. Once, before all else.
  std::optional<Failure> prepare();

  /// Makes the handle of the next hop, to be added to the multi handle.
  std::variant<CURL*, Failure> begin(Steady::time_point now);
  /// What comes after a hop.
  struct Again {};  ///< the next hop, when it is its host's turn
  struct Pause {
    Steady::time_point until;
  };
  using Next = std::variant<Again, Pause, Client::Outcome>;
  /// The hop ended with `code`; the handle has left the multi handle and is freed here.
  Next ended(CURLcode code, Steady::time_point now);
  /// Frees the handle of a hop that is broken off; it has left the multi handle.
  void breakOff();
  /// Whether the hop, running or just ended, had not got beyond looking up the name.
  [[nodiscard]] bool lookedUp() const { return looked_up_; }

  [[nodiscard]] Failure failure(FailureCode code, const std::string& why) const;
  void finish(Client::Outcome outcome);

  [[nodiscard]] Client::Ticket ticket() const { return ticket_; }
  [[nodiscard]] const std::string& host() const { return url_.host; }
  [[nodiscard]] Steady::time_point deadline() const { return deadline_; }
  [[nodiscard]] CURL* handle() const { return easy_; }
  /// Of the request's body, as it was given.
  [[nodiscard]] std::size_t requestBytes() const { return request_bytes_; }

  State state = State::Waiting;
  Steady::time_point paused_until;

 private:
  struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  static curl_socket_t openSocket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static std::size_t onHeader(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t onBody(char* data, std::size_t size, std::size_t count, void* self);

  std::optional<Failure> checkTarget(const Url& url) const;
  void setUp(CURL* easy, Steady::time_point now);
  void setMethod(CURL* easy);
  void setHeaders(CURL* easy);
  bool headerLine(std::string_view line);
  bool headEnded();
  bool body(std::string_view bytes);
  bool stop(FailureCode code, const std::string& why);
  [[nodiscard]] bool unpacked() const;

  [[nodiscard]] Failure translate(CURLcode code, Steady::time_point now) const;
  Next follow();
  Next failed(const Failure& failure, Steady::time_point now);
  Next answered(Steady::time_point now);
  std::optional<Next> retry(Steady::time_point now, std::optional<std::chrono::milliseconds> retry_after);

  const Client::Ticket ticket_;
  const std::size_t request_bytes_;
  Request request_;
  const std::shared_ptr<BodySink> sink_;
  Client::Done done_;
  const ClientOptions& options_;
  const Steady::time_point started_;
  Steady::time_point deadline_;
  std::int64_t max_body_ = 0;
  int max_redirects_ = 0;
  std::minstd_rand random_;

  // The request as it stands after redirects.
  std::string method_;
  std::vector<Header> headers_;
  bool sends_body_ = false;
  Url url_;
  int redirects_ = 0;
  int tries_ = 1;

  // The hop.
  CURL* easy_ = nullptr;
  std::unique_ptr<curl_slist, ListDeleter> header_list_;
  std::unique_ptr<curl_slist, ListDeleter> resolve_list_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  std::string refused_;  ///< the guarded address a socket was not made for
  std::size_t header_bytes_ = 0;
  int status_ = 0;
  std::vector<Header> response_headers_;
  bool head_done_ = false;
  bool redirecting_ = false;  ///< its body is thrown away
  bool cut_ = false;          ///< broken off on purpose, with all that is wanted
  bool looked_up_ = false;
  std::int64_t body_bytes_ = 0;
  std::optional<Failure> stopped_;  ///< why a callback ended it
};

}  // namespace jobhost::fetch
