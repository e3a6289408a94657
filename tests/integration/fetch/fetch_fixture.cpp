#include "integration/fetch/fetch_fixture.hpp"

#include <zlib.h>

#include <utility>

namespace jobhost::fetch {

using namespace std::chrono_literals;

std::string Fetched::code() const {
  if (const auto* failed = std::get_if<Failure>(&outcome)) return std::string(toString(failed->code));
  return "status " + std::to_string(status());
}

std::string Fetched::message() const {
  const auto* failed = std::get_if<Failure>(&outcome);
  return failed != nullptr ? failed->message : "";
}

Going::Going(Client& client, Request request) {
  auto promise = std::make_shared<std::promise<Client::Outcome>>();
  outcome_ = promise->get_future();
  ticket_ = client.start(std::move(request), sink_,
                         [promise](Client::Outcome outcome) { promise->set_value(std::move(outcome)); });
}

Fetched Going::wait() {
  auto outcome = outcome_.get();
  return {std::move(outcome), std::move(sink_->body)};
}

bool Going::isDone() {
  return outcome_.wait_for(0s) == std::future_status::ready;
}

FetchTest::FetchTest() {
  options.guard = *AddressGuard::make(false, {"127.0.0.1"});
  options.timeout = 20s;
  options.max_timeout = 30s;
  options.slow_after = 20s;
  options.max_body_bytes = 4 << 20;
  options.max_header_bytes = 16 * 1024;
}

Client& FetchTest::client() {
  if (!client_) client_ = std::make_unique<Client>(options);
  return *client_;
}

Request FetchTest::to(const std::string& url) {
  Request request;
  request.url = url;
  request.allowed_hosts = {"*"};
  return request;
}

std::string gzipped(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace jobhost::fetch
