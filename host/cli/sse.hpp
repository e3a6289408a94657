#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/client.hpp"
#include "core/result.hpp"

namespace jobhost::cli {

/// One event of a text/event-stream.
struct SseEvent {
  std::string id;  ///< as last set on the stream; empty: none yet
  std::string name = "message";
  std::string data;
};

/// Takes a stream apart (WHATWG rules: LF, CRLF or CR; comments; several data lines). Pure; bounded.
class SseParser {
 public:
  /// The events these bytes complete. An event over 4 MiB is dropped.
  std::vector<SseEvent> feed(std::string_view bytes);

 private:
  void line(std::string_view text, std::vector<SseEvent>& done);

  std::string rest_;
  bool skip_lf_ = false;
  bool overflow_ = false;
  bool has_data_ = false;
  std::string last_id_;
  SseEvent current_;
};

/// Follows an event stream over lost connections: comes back with Last-Event-ID after a wait that doubles from 250 ms
/// to 8 s and starts anew with each event. Ends when `on_event` answers false, when the host ends the stream in order
/// (`on_end` answers whether to come back), or with the error once the host was gone for `patience`.
struct Follow {
  std::string path;
  std::function<bool(const SseEvent&)> on_event;
  std::function<bool()> on_end;  ///< the stream ended: true to reconnect
  std::chrono::milliseconds patience{30'000};
};
core::Result<void> follow(Client& client, const Follow& request);

}  // namespace jobhost::cli
