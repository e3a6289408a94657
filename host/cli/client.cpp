#include "cli/client.hpp"

#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <Poco/Net/FilePartSource.h>
#include <Poco/Net/HTMLForm.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/StreamCopier.h>
#include <Poco/URI.h>

#include <array>
#include <fstream>

#include "cli/json.hpp"

namespace jobhost::cli {
namespace {

using Poco::Net::HTTPClientSession;
using Poco::Net::HTTPRequest;
using Poco::Net::HTTPResponse;

constexpr std::chrono::seconds kMostRest{1};
constexpr std::size_t kMaxAnswerBytes = 256u << 20;

core::Error failure(core::ErrorCode code, std::string message) {
  return {.code = code, .message = std::move(message), .detail = {}, .fields = {}};
}

Poco::Timespan span(std::chrono::milliseconds time) {
  return Poco::Timespan(static_cast<Poco::Timespan::TimeDiff>(time.count()) * 1000);
}

/// False when the answer is over the limit.
bool readAll(std::istream& in, std::string& body) {
  std::array<char, 64 * 1024> piece{};
  while (in.read(piece.data(), piece.size()) || in.gcount() > 0) {
    body.append(piece.data(), static_cast<std::size_t>(in.gcount()));
    if (body.size() > kMaxAnswerBytes) return false;
  }
  return true;
}

/// Readable before anything was asked.
bool closedByHost(HTTPClientSession& session) {
  return session.socket().impl()->initialized() &&
         session.socket().poll(Poco::Timespan(), Poco::Net::Socket::SELECT_READ);
}

void addHeaders(HTTPRequest& request, const Endpoint& endpoint, const Client::Headers& headers) {
  if (!endpoint.key.empty()) request.set("Authorization", "Bearer " + endpoint.key);
  for (const auto& [name, value] : headers) request.set(name, value);
}

}  // namespace

core::Result<Client> Client::open(Endpoint endpoint) {
  try {
    const Poco::URI uri(endpoint.url);
    if (uri.getScheme() != "http" || uri.getHost().empty()) {
      return failure(core::ErrorCode::InvalidArgument, "--url " + endpoint.url + ": must be http://host[:port]");
    }
    for (const char c : endpoint.key) {
      if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
        return failure(core::ErrorCode::InvalidArgument, "the API key has a character that no key has");
      }
    }
    Client client(std::move(endpoint));
    client.host_ = uri.getHost();
    client.port_ = uri.getPort();
    client.base_path_ = uri.getPath() == "/" ? "" : uri.getPath();
    return client;
  } catch (const Poco::Exception&) {
    return failure(core::ErrorCode::InvalidArgument, "--url " + endpoint.url + ": is not a URL");
  }
}

Client::Client(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

std::unique_ptr<HTTPClientSession> Client::connect() const {
  auto session = std::make_unique<HTTPClientSession>(host_, port_);
  session->setKeepAlive(true);
  session->setTimeout(span(endpoint_.timeout), span(endpoint_.timeout), span(endpoint_.timeout));
  return session;
}

core::Result<Response> Client::get(const std::string& path) {
  return send("GET", path);
}

core::Result<Response> Client::send(const std::string& method, const std::string& path, const std::string& body,
                                    const Headers& headers) {
  try {
    // A kept connection may be closed by the host at any time at rest, and a request sent into it could not be sent
    // again safely, since nobody would know whether it was served: so it is kept for requests in a row only.
    const auto now = std::chrono::steady_clock::now();
    if (session_ && (now - last_use_ > kMostRest || closedByHost(*session_))) session_.reset();
    if (!session_) session_ = connect();
    HTTPRequest request(method, base_path_ + path, HTTPRequest::HTTP_1_1);
    request.setContentLength64(static_cast<Poco::Int64>(body.size()));
    if (!body.empty()) request.setContentType("application/json");
    addHeaders(request, endpoint_, headers);
    session_->sendRequest(request) << body;
    HTTPResponse answer;
    std::istream& in = session_->receiveResponse(answer);
    Response response{.status = answer.getStatus(), .content_type = answer.getContentType(), .body = {}};
    if (!readAll(in, response.body)) {
      session_.reset();
      return failure(core::ErrorCode::TooLarge, "the answer is larger than 256 MiB");
    }
    last_use_ = std::chrono::steady_clock::now();
    if (response.status >= 400) return errorOf(response);
    return response;
  } catch (const Poco::Exception& error) {
    session_.reset();
    return failure(core::ErrorCode::Unavailable, "cannot reach " + endpoint_.url + ": " + error.displayText());
  }
}

core::Result<std::string> Client::upload(const std::vector<std::filesystem::path>& files) {
  for (const auto& file : files) {
    std::error_code code;
    if (!std::filesystem::is_regular_file(file, code)) {
      return failure(core::ErrorCode::InvalidArgument, "--input " + file.string() + ": is no readable file");
    }
  }
  try {
    const auto session = connect();
    HTTPRequest request(HTTPRequest::HTTP_POST, base_path_ + "/api/v1/inputs", HTTPRequest::HTTP_1_1);
    addHeaders(request, endpoint_, {});
    if (files.size() == 1) {
      request.setURI(request.getURI() + "?name=" + encoded(files.front().filename().string()));
      request.setContentType("application/octet-stream");
      request.setContentLength64(static_cast<Poco::Int64>(std::filesystem::file_size(files.front())));
      std::ifstream in(files.front(), std::ios::binary);
      Poco::StreamCopier::copyStream64(in, session->sendRequest(request), 64 * 1024);
    } else {
      Poco::Net::HTMLForm form(Poco::Net::HTMLForm::ENCODING_MULTIPART);
      for (const auto& file : files)
        form.addPart("file", new Poco::Net::FilePartSource(file.string()));  // form owns it
      form.prepareSubmit(request, Poco::Net::HTMLForm::OPT_USE_CONTENT_LENGTH);
      form.write(session->sendRequest(request));
    }
    HTTPResponse answer;
    Response response;
    if (!readAll(session->receiveResponse(answer), response.body)) {
      return failure(core::ErrorCode::TooLarge, "the answer is larger than 256 MiB");
    }
    response.status = answer.getStatus();
    if (response.status >= 400) return errorOf(response);
    const auto id = textAt(parseObject(response.body), "input_id");
    if (id.empty()) return failure(core::ErrorCode::Internal, "the host answered no input_id");
    return id;
  } catch (const Poco::FileException& error) {
    return failure(core::ErrorCode::InvalidArgument, error.displayText());
  } catch (const Poco::Exception& error) {
    return failure(core::ErrorCode::Unavailable, "cannot reach " + endpoint_.url + ": " + error.displayText());
  }
}

core::Result<int> Client::stream(const std::string& path, const Headers& headers, std::chrono::milliseconds idle,
                                 Sink sink, void* context) {
  try {
    const auto session = connect();
    session->setTimeout(span(endpoint_.timeout), span(endpoint_.timeout), span(idle));
    HTTPRequest request(HTTPRequest::HTTP_GET, base_path_ + path, HTTPRequest::HTTP_1_1);
    addHeaders(request, endpoint_, headers);
    session->sendRequest(request);
    HTTPResponse answer;
    std::istream& in = session->receiveResponse(answer);
    if (answer.getStatus() >= 400) {
      Response response{.status = answer.getStatus(), .content_type = answer.getContentType(), .body = {}};
      readAll(in, response.body);
      return errorOf(response);
    }
    // One byte that may block, then what has arrived with it: a line is shown when it comes.
    std::array<char, 16 * 1024> piece{};
    for (int first = in.get(); first != std::istream::traits_type::eof(); first = in.get()) {
      piece[0] = static_cast<char>(first);
      const auto more = in.rdbuf()->in_avail();
      std::streamsize size = 1;
      if (more > 0) size += in.rdbuf()->sgetn(piece.data() + 1, std::min<std::streamsize>(more, piece.size() - 1));
      if (!sink(context, piece.data(), static_cast<std::size_t>(size))) break;
    }
    return static_cast<int>(answer.getStatus());
  } catch (const Poco::Exception& error) {
    return failure(core::ErrorCode::Unavailable, "lost " + endpoint_.url + ": " + error.displayText());
  }
}

std::string encoded(const std::string& text) {
  std::string out;
  Poco::URI::encode(text, "/?#&=+%;:@ ", out);
  return out;
}

core::Error errorOf(const Response& response) {
  using core::ErrorCode;
  const auto code = [&] {
    switch (response.status) {
      case 401:
        return ErrorCode::Unauthenticated;
      case 403:
        return ErrorCode::PermissionDenied;
      case 404:
        return ErrorCode::NotFound;
      case 409:
        return ErrorCode::Conflict;
      case 413:
        return ErrorCode::TooLarge;
      case 429:
        return ErrorCode::Exhausted;
      default:
        return response.status >= 500 ? ErrorCode::Internal : ErrorCode::InvalidArgument;
    }
  }();
  const auto problem = parseObject(response.body);
  std::string message = textAt(problem, "title");
  const std::string detail = textAt(problem, "detail");
  if (!detail.empty() && detail != message) message += (message.empty() ? "" : ": ") + detail;
  if (message.empty()) message = "HTTP status";
  core::Error error = failure(code, message + " (" + std::to_string(response.status) + ")");
  for (const auto& field : objectsAt(problem, "errors")) {
    error.fields.push_back({textAt(field, "pointer"), textAt(field, "message")});
  }
  return error;
}

}  // namespace jobhost::cli
