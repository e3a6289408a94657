// libFuzzer: bytes from a runner, through the reader and every decoder. Finds crashes, overruns and memory without
// bound.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "wire/frame.hpp"
#include "wire/messages.hpp"

namespace {

template <class... Messages>
void decodeAll(std::string_view payload) {
  (
      [&] {
        Messages message;
        std::ignore = decode(payload, message);
      }(),
      ...);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace jobhost::wire;  // NOLINT: one function
  if (size == 0) return 0;
  const std::size_t step = data[0] == 0 ? size : data[0];
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  FrameReader reader(256 * 1024);
  while (!rest.empty()) {
    reader.feed(rest.substr(0, step));
    rest.remove_prefix(step < rest.size() ? step : rest.size());
    Frame frame;
    while (reader.next(frame) == FrameReader::Status::Message) {
      decodeAll<Hello, Welcome, Load, Loaded, LoadFailed, Run, Cancel, SlotList, Started, Log, Progress, Note, Done,
                Call, HttpFetch, RecordCall, Return, Credit, Bye>(frame.payload);
    }
  }
  return 0;
}
