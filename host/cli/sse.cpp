#include "cli/sse.hpp"

#include <algorithm>
#include <thread>

namespace jobhost::cli {
namespace {

constexpr std::size_t kMaxEventBytes = 4u << 20;
constexpr std::chrono::milliseconds kIdle{45'000};  // the host sends a comment each 15 s
constexpr std::chrono::milliseconds kFirstWait{250};
constexpr std::chrono::milliseconds kLongestWait{8'000};

struct Reading {
  const Follow& request;
  SseParser parser;
  std::string last_id;
  bool any = false;
  bool stopped = false;

  static bool take(void* context, const char* bytes, std::size_t size) {
    auto& self = *static_cast<Reading*>(context);
    for (const auto& event : self.parser.feed({bytes, size})) {
      self.any = true;
      if (!event.id.empty()) self.last_id = event.id;
      if (!self.request.on_event(event)) {
        self.stopped = true;
        return false;
      }
    }
    return true;
  }
};

}  // namespace

std::vector<SseEvent> SseParser::feed(std::string_view bytes) {
  std::vector<SseEvent> done;
  for (const char c : bytes) {
    if (skip_lf_ && c == '\n') {
      skip_lf_ = false;
      continue;
    }
    skip_lf_ = c == '\r';
    if (c == '\n' || c == '\r') {
      line(rest_, done);
      rest_.clear();
    } else if (rest_.size() < kMaxEventBytes) {
      rest_ += c;
    } else {
      overflow_ = true;
    }
  }
  return done;
}

void SseParser::line(std::string_view text, std::vector<SseEvent>& done) {
  if (text.empty()) {
    if (has_data_ && !overflow_) {
      current_.id = last_id_;
      done.push_back(std::move(current_));
    }
    current_ = {};
    has_data_ = overflow_ = false;
    return;
  }
  const auto colon = text.find(':');
  const auto field = text.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (current_.data.size() + value.size() > kMaxEventBytes) {
      overflow_ = true;
      return;
    }
    if (has_data_) current_.data += '\n';
    current_.data += value;
    has_data_ = true;
  } else if (field == "event") {
    current_.name = value;
  } else if (field == "id" && value.find('\0') == std::string_view::npos) {
    last_id_ = value;
  }
}

core::Result<void> follow(Client& client, const Follow& request) {
  auto wait = kFirstWait;
  std::chrono::milliseconds gone{0};
  std::string last_id;
  for (;;) {
    Reading reading{request, {}, last_id, false, false};
    Client::Headers headers{{"Accept", "text/event-stream"}};
    if (!last_id.empty()) headers.emplace_back("Last-Event-ID", last_id);
    const auto status = client.stream(request.path, headers, kIdle, &Reading::take, &reading);
    if (reading.stopped) return {};
    last_id = reading.last_id;
    if (reading.any) {
      wait = kFirstWait;
      gone = {};
    }
    if (status && !request.on_end()) return {};
    if (!status) {
      const auto code = status.error().code;
      const bool worth = code == core::ErrorCode::Unavailable || code == core::ErrorCode::Exhausted;
      if (!worth || gone >= request.patience) return status.error();
    }
    std::this_thread::sleep_for(wait);  // the back-off of a client between connections; nothing can end it early
    gone += wait;
    wait = std::min(wait * 2, kLongestWait);
  }
}

}  // namespace jobhost::cli
