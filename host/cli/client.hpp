#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace Poco::Net {
class HTTPClientSession;
}

namespace jobhost::cli {

/// Where the host is and who asks.
struct Endpoint {
  std::string url = "http://127.0.0.1:8080";
  std::string key;  ///< empty: ask without one
  std::chrono::milliseconds timeout{30'000};
};

struct Response {
  int status = 0;
  std::string content_type;
  std::string body;
};

/// A caller of the native API over one kept-alive connection. Not thread-safe.
/// Errors: Unavailable (nobody answers), TooLarge (an answer over 256 MiB), and for answers of 400 and up the code that
/// fits, with the problem document's title, detail and fields in the message.
class Client {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  /// InvalidArgument: not an http:// URL.
  static core::Result<Client> open(Endpoint endpoint);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  core::Result<Response> get(const std::string& path);
  core::Result<Response> send(const std::string& method, const std::string& path, const std::string& body = {},
                              const Headers& headers = {});
  /// Streams files to POST /api/v1/inputs (several as multipart); answers the input id.
  core::Result<std::string> upload(const std::vector<std::filesystem::path>& files);

  /// Called with each piece of the answer's body; false ends it.
  using Sink = bool (*)(void* context, const char* bytes, std::size_t size);
  /// GETs a stream that lasts. `idle`: no byte for so long counts as a lost connection (Unavailable).
  core::Result<int> stream(const std::string& path, const Headers& headers, std::chrono::milliseconds idle, Sink sink,
                           void* context);

  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

 private:
  explicit Client(Endpoint endpoint);
  std::unique_ptr<Poco::Net::HTTPClientSession> connect() const;

  Endpoint endpoint_;
  std::string host_;
  unsigned short port_ = 0;
  std::string base_path_;
  std::unique_ptr<Poco::Net::HTTPClientSession> session_;
  std::chrono::steady_clock::time_point last_use_;
};

/// Percent-encodes one path part or query value.
std::string encoded(const std::string& text);

/// The error an answer of 400 and up stands for.
core::Error errorOf(const Response& response);

}  // namespace jobhost::cli
