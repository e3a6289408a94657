#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/auth/principal.hpp"
#include "core/job.hpp"
#include "core/result.hpp"

namespace jobhost::api {

class BodyReader;

enum class Method { Get, Head, Post, Put, Patch, Delete, Options, Other };

constexpr std::string_view toString(Method method) {
  switch (method) {
    case Method::Get:
      return "GET";
    case Method::Head:
      return "HEAD";
    case Method::Post:
      return "POST";
    case Method::Put:
      return "PUT";
    case Method::Patch:
      return "PATCH";
    case Method::Delete:
      return "DELETE";
    case Method::Options:
      return "OPTIONS";
    case Method::Other:
      break;
  }
  return "OTHER";
}

struct Header {
  std::string_view name;
  std::string_view value;  ///< without blanks around it
};

/// One request as a handler sees it. All views point into the connection's buffer: valid until the handler returns.
struct Request {
  Method method = Method::Get;
  std::string_view path;   ///< as sent, percent-encoded, without the query
  std::string_view query;  ///< as sent, without '?'; empty when absent
  std::span<const Header> headers;
  BodyReader* body = nullptr;  ///< never null inside a handler
  std::string_view peer;       ///< address of the other end of the connection, as text
  std::string caller{};        ///< principal's id, set once it is known: whose share long transfers take

  /// The first header of that name (compared without case); nullopt: absent.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
};

/// A file to send as the body, from the connection's thread by sendfile. The response owns the open descriptor.
struct FileBody {
  int fd = -1;
  std::int64_t offset = 0;
  std::int64_t length = 0;

  FileBody() = default;
  FileBody(int descriptor, std::int64_t from, std::int64_t bytes) : fd(descriptor), offset(from), length(bytes) {}
  FileBody(const FileBody&) = delete;
  FileBody& operator=(const FileBody&) = delete;
  FileBody(FileBody&& other) noexcept : fd(std::exchange(other.fd, -1)), offset(other.offset), length(other.length) {}
  FileBody& operator=(FileBody&& other) noexcept {
    std::swap(fd, other.fd);
    std::swap(offset, other.offset);
    std::swap(length, other.length);
    return *this;
  }
  ~FileBody();
};

/// A body that is made while it is sent, so that its size does not matter. Used by the connection's thread alone.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// The next bytes, valid until the next call; empty: that was all. An error ends the connection, so that the client
  /// does not take what it has for the whole.
  virtual core::Result<std::string_view> next() = 0;
};

/// A response that turns into an event stream: the connection leaves the thread pool and SseHub goes on with it.
struct StreamPlan {
  enum class Kind { Events, Log };
  Kind kind = Kind::Events;
  std::optional<core::JobId> job;  ///< nullopt: every job
  /// Events: replay what was committed after this number. Log: byte offset to start from. nullopt: a snapshot of the
  /// job or batch first (Events of one), or from now on (Events of all).
  std::optional<std::int64_t> after;
  /// Events of all: only of jobs that this principal owns; empty: of every job.
  std::string owner{};
  /// Who watches: the stream ends with the key or session, and when it may do less. Null: nobody in particular.
  PrincipalRef principal = nullptr;
  std::shared_ptr<void> seat = nullptr;  ///< of SseHub::seat(); given back with the last copy of the plan
  /// Events of all: only of the jobs of this batch, whose owner is `owner`; empty: of whatever batch.
  std::string batch{};
  bool deaf = false;  ///< the connection does not read any more: its end is noticed when something is sent
};

struct Response {
  int status = 200;
  std::string_view content_type;  ///< a literal, or owned by `owned_content_type`; empty: none
  std::string owned_content_type;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::optional<FileBody> file;        ///< instead of body
  std::unique_ptr<BodySource> source;  ///< instead of body
  std::optional<StreamPlan> stream;    ///< instead of body
  bool close = false;                  ///< end the connection after it
  std::shared_ptr<void> seat;          ///< of Places; given back when it has been sent

  Response() = default;
  Response(int code, std::string_view type, std::string text)
      : status(code), content_type(type), body(std::move(text)) {}
  Response& with(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kText = "text/plain; charset=utf-8";

/// Compares ASCII without case.
bool sameNoCase(std::string_view a, std::string_view b);

/// "Not Found" for 404; "Unknown" for a status we never send.
std::string_view reasonPhrase(int status);

}  // namespace jobhost::api
