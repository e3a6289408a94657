// Arbitrary bytes as an HTTP request: head, chunked body, query, JSON body. What is accepted must hold together: views
// lie inside the input, JSON written anew reads the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "api/encoding.hpp"
#include "api/http_parser.hpp"
#include "api/json_reader.hpp"
#include "api/json_writer.hpp"

namespace {

using namespace jobhost::api;

void demand(bool holds) {
  if (!holds) std::abort();
}

std::string canonical(std::string_view json) {
  JsonWriter writer;
  writer.canonical(json);
  return writer.take();
}

void readJson(std::string_view text) {
  const auto document = parseJson(text);
  if (!document) return;
  demand(isUtf8(text));
  const auto once = canonical(text);
  demand(parseJson(once).ok());
  demand(canonical(once) == once);
  std::vector<jobhost::core::FieldError> errors;
  JsonObject object(*document, "", errors);
  object.string("type");
  object.integer("priority", -10, 10);
  object.strings("tags", 5, 10);
  object.time("run_at");
  object.refuseUnknown();
}

void readChunks(std::string_view text) {
  ChunkedDecoder decoder;
  for (;;) {
    std::size_t used = 0;
    std::string_view data;
    const auto step = decoder.next(text, used, data);
    demand(used <= text.size());
    demand(data.empty() || (data.data() >= text.data() && data.data() + data.size() <= text.data() + text.size()));
    text.remove_prefix(used);
    if (step != ChunkedDecoder::Step::Data) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  RequestHead head;
  const auto result = parseHead(text, {4096, 20}, head);
  if (result.state == HeadState::Complete) {
    demand(result.used <= size && head.content_length >= 0 && !(head.chunked && head.content_length != 0));
    const auto query = Query::parse(head.query);
    if (query) query->last("a");
    readChunks(text.substr(result.used));
    readJson(text.substr(result.used));
  }
  readChunks(text);
  readJson(text);
  if (const auto bytes = fromBase64(text)) demand(toBase64(*bytes) == text);
  if (const auto at = parseTime(text)) demand(parseTime(formatTime(*at)).has_value());
  return 0;
}
