// Requests that nobody honest sends, made from the OpenAPI document by a seeded generator: each gets an answer of the
// 4xx kind in its dialect's shape (or a 2xx, where it happens to be fine), never a 5xx, a hang or a leak. JOBHOST_SEED
// chooses another run; JOBHOST_LONG=1 makes it a hundred times as long.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/json_text.hpp"
#include "dialects/api_host.hpp"
#include "jobhost/json.hpp"

namespace jobhost::test {
namespace {

namespace fs = std::filesystem;
using Random = std::mt19937_64;

constexpr int kMaxSchemaDepth = 6;

std::uint64_t seed() {
  const char* text = std::getenv("JOBHOST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device{}();
}

int rounds() {
  const char* text = std::getenv("JOBHOST_LONG");
  return text != nullptr && std::string(text) == "1" ? 100 : 1;
}

template <typename T>
const T& oneOf(const std::vector<T>& from, Random& random) {
  return from[random() % from.size()];
}

struct Operation {
  std::string method, path;
  std::vector<std::string> query;    ///< names of its query parameters
  std::vector<std::string> headers;  ///< names of its header parameters
  Json body;                         ///< the schema of its JSON body; null: it takes none
};

class Document {
 public:
  explicit Document(const std::string& text) : root_(Json::parse(text)) {}

  std::vector<Operation> operations() const {
    std::vector<Operation> all;
    const auto& paths = root_["paths"];
    for (std::size_t i = 0; i < paths.size(); ++i) {
      const auto& path = paths.items()[i];
      for (std::size_t j = 0; j < path.size(); ++j) {
        const auto& name = path.names()[j];
        if (name == "parameters") continue;
        Operation one{name, paths.names()[i], {}, {}, {}};
        for (auto& c : one.method) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        for (const auto* list : {&path["parameters"], &path.items()[j]["parameters"]}) {
          for (const auto& parameter : list->items()) {
            const auto& there = resolve(parameter);
            const std::string where(there["in"].stringOr(""));
            if (where == "query") one.query.emplace_back(there["name"].stringOr(""));
            if (where == "header") one.headers.emplace_back(there["name"].stringOr(""));
          }
        }
        one.body = path.items()[j]["requestBody"]["content"]["application/json"]["schema"];
        all.push_back(std::move(one));
      }
    }
    return all;
  }

  const Json& resolve(const Json& node) const {
    const Json* at = &node;
    for (int hops = 0; hops < 8; ++hops) {
      const auto reference = (*at)["$ref"].stringOr("");
      if (!reference.starts_with("#/")) return *at;
      at = &root_;
      for (std::size_t from = 2; from <= reference.size();) {
        const auto to = std::min(reference.find('/', from), reference.size());
        at = &(*at)[reference.substr(from, to - from)];
        from = to + 1;
      }
    }
    return *at;
  }

  /// A value that the schema would take, more or less; what is broken afterwards must reach the handlers to be worth
  /// it.
  Json example(const Json& schema, Random& random, int depth = 0) const {
    const auto& at = resolve(schema);
    if (depth > kMaxSchemaDepth) return nullptr;
    for (const char* word : {"oneOf", "anyOf"}) {
      if (at[word].size() > 0) return example(oneOf(at[word].items(), random), random, depth + 1);
    }
    if (at["enum"].size() > 0) return oneOf(at["enum"].items(), random);
    if (!at["const"].isNull()) return at["const"];
    std::string type(at["type"].stringOr(""));
    if (at["type"].isArray()) type = oneOf(at["type"].items(), random).stringOr("");
    if (type == "integer" || type == "number") return at["minimum"].isNull() ? Json(1) : at["minimum"];
    if (type == "boolean") return random() % 2 == 0;
    if (type == "array") return Json::array({example(at["items"], random, depth + 1)});
    if (type == "object") {
      auto object = Json::object();
      const auto& properties = at["properties"];
      for (std::size_t i = 0; i < properties.size(); ++i) {
        if (random() % 4 != 0) object.set(properties.names()[i], example(properties.items()[i], random, depth + 1));
      }
      return object;
    }
    if (type == "string") return oneOf<std::string>({"echo", "ada", "2027-01-15T08:00:01Z", "1", "read_jobs"}, random);
    return nullptr;
  }

 private:
  Json root_;
};

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

/// Texts that stand for a JSON value where none, or another, belongs.
const std::vector<std::string>& hostileValues() {
  static const std::vector<std::string> all = {"null",
                                               "true",
                                               "-1",
                                               "0",
                                               "1.5",
                                               "1e999",
                                               "-0",
                                               "99999999999999999999999999",
                                               "9223372036854775808",
                                               "-9223372036854775809",
                                               "NaN",
                                               "Infinity",
                                               "0x10",
                                               "01",
                                               "+1",
                                               "\"\"",
                                               "\"\\u0000\"",
                                               "\"\\ud800\"",
                                               "\"\\ud800\\ud800\"",
                                               "\"\xff\xfe\"",
                                               "\"\xc0\x80\"",
                                               "\"\xed\xa0\x80\"",
                                               "\"a\nb\"",
                                               "\"\x01\"",
                                               "\"\\x\"",
                                               "\"../../../etc/passwd\"",
                                               "\"a/b\"",
                                               "\"%00\"",
                                               "'x'",
                                               "[]",
                                               "[[]]",
                                               "{}",
                                               "{\"a\":1,\"a\":2}",
                                               "[1,]",
                                               "{\"a\":}",
                                               "{\"__proto__\":{}}",
                                               "[null]",
                                               "\"'; DROP TABLE jobs; --\"",
                                               "\"" + std::string(70'000, 'x') + "\"",
                                               repeated("[", 2000) + repeated("]", 2000),
                                               repeated("{\"a\":", 500) + "1" + repeated("}", 500),
                                               repeated("[", 100'000),
                                               "\"\xe2\x80\xae\xe2\x80\x8b\"",
                                               "2e308",
                                               "1e-400",
                                               "//",
                                               "/*x*/1",
                                               "undefined"};
  return all;
}

const std::vector<std::string>& hostileSegments() {
  static const std::vector<std::string> all = {"0",
                                               "-1",
                                               "1",
                                               "2",
                                               "99999999999999999999",
                                               "9223372036854775807",
                                               "1e3",
                                               "1.5",
                                               "01",
                                               "+1",
                                               "%31",
                                               " 1",
                                               "%201",
                                               "..",
                                               ".",
                                               "%2e%2e",
                                               "%2e%2e%2fetc%2fpasswd",
                                               "..%5c..",
                                               "%00",
                                               "1%00",
                                               "%",
                                               "%z1",
                                               "%ff",
                                               "%c0%ae",
                                               "a%2fb",
                                               "a;b=c",
                                               "~",
                                               "{id}",
                                               "*",
                                               "null",
                                               std::string(3000, 'a'),
                                               "\xc3\xa9",
                                               "\xff",
                                               "'",
                                               "%0d%0aX:1",
                                               "echo",
                                               "none",
                                               "admin"};
  return all;
}

/// Replaces one value somewhere in the tree by a mark, so that any bytes can stand in its place.
Json marked(const Json& value, Random& random) {
  static const std::string kMark = "@@here@@";
  if ((value.isObject() || value.isArray()) && value.size() > 0 && random() % 5 != 0) {
    const auto chosen = random() % value.size();
    if (value.isArray()) {
      auto items = value.items();
      items[chosen] = marked(items[chosen], random);
      return Json::array(std::move(items));
    }
    auto object = value;
    object.set(value.names()[chosen], marked(value.items()[chosen], random));
    return object;
  }
  return kMark;
}

std::string hostileBody(const Document& document, const Operation& operation, Random& random) {
  auto example = document.example(operation.body, random);
  if (!example.isObject() && !example.isArray()) example = Json::object();
  std::string text;
  switch (random() % 4) {
    case 0: {  // a member nobody knows
      if (example.isObject())
        example.set(oneOf<std::string>({"", "nobody_knows", "id", "owner", "\xc3\xa9"}, random), 1);
      text = example.dump();
      break;
    }
    case 1: {  // bytes that were hit
      text = example.dump();
      for (int i = 0; i < 3 && !text.empty(); ++i) text[random() % text.size()] = static_cast<char>(random() % 256);
      break;
    }
    case 2: {  // cut off, or with something behind it
      text = example.dump();
      text = random() % 2 == 0 ? text.substr(0, random() % (text.size() + 1)) : text + oneOf(hostileValues(), random);
      break;
    }
    default: {
      text = marked(example, random).dump();
      const auto at = text.find("\"@@here@@\"");
      if (at != std::string::npos) text.replace(at, 10, oneOf(hostileValues(), random));
    }
  }
  return text;
}

std::string hostileTarget(const Operation& operation, Random& random, bool keep_path) {
  std::string path;
  for (std::size_t at = 0; at < operation.path.size();) {
    if (operation.path[at] != '{') {
      path += operation.path[at++];
      continue;
    }
    path += keep_path ? "1" : oneOf(hostileSegments(), random);
    at = operation.path.find('}', at) + 1;
  }
  if (random() % 8 == 0)
    path += oneOf<std::string>({"/", "//", "/..", "/.", "?", "#x", "%2f", ";x", "\\", "%3f"}, random);
  if (random() % 2 == 0) {
    const int count = static_cast<int>(random() % 4);
    path += '?';
    for (int i = 0; i < count; ++i) {
      if (i > 0) path += '&';
      path += operation.query.empty() || random() % 6 == 0 ? "nobody" : oneOf(operation.query, random);
      if (random() % 8 != 0) path += '=' + oneOf(hostileSegments(), random);
    }
  }
  return path;
}

std::string hostileHeaders(const Operation& operation, Random& random) {
  std::string lines;
  const auto value = [&]() -> std::string {
    return oneOf<std::string>(
        {"", "x", std::string(5000, 'h'), "\xff\xfe", "a, b, c", "-1", "99999999999999999999", "\"", "bytes=5-1",
         "bytes=-", "bytes=0-,1-2,3-", "*", "application/xml", "text/html", "gzip, br", "\t", "W/\"x\""},
        random);
  };
  for (const auto& name : operation.headers) {
    if (random() % 2 == 0) lines += name + ": " + value() + "\r\n";
  }
  static const std::vector<std::string> kOften = {
      "Range",           "If-None-Match",   "If-Modified-Since", "Last-Event-ID",
      "Accept",          "Accept-Encoding", "Content-Encoding",  "Cookie",
      "Origin",          "X-CSRF-Token",    "Idempotency-Key",   "Content-Type",
      "X-Forwarded-For", "Expect-CT"};
  const int count = static_cast<int>(random() % 3);
  for (int i = 0; i < count; ++i) lines += oneOf(kOften, random) + ": " + value() + "\r\n";
  return lines;
}

/// What an honest client can read: the problem document of the native API, the errors of the minion and
/// the lncrawl dialect.
void expectShape(const std::string& path, const Answer& answer) {
  ASSERT_NE(answer.status, 0) << "no answer";
  EXPECT_LT(answer.status, 500) << answer.body;
  if (answer.status < 400) return;
  if (answer.headers.contains("content-encoding")) return;  // as it was asked for; its text was large enough
  // A 422 of the lncrawl dialect shows what was wrong as it came, also a number beyond any double.
  if (answer.status == 422 && answer.body.starts_with(R"({"detail":[)") && core::isJson(answer.body)) return;
  Json body;
  ASSERT_NO_THROW(body = Json::parse(answer.body)) << answer.body;
  // What was made of /upload may be nobody's path, and then it is the native API that says so.
  const bool upload = path == "/upload" && !body["type"].isString();
  if (upload || path.starts_with("/static/") || (path.starts_with("/api/") && !path.starts_with("/api/v1"))) {
    const bool lncrawl = body["detail"].isString() || body["detail"].isArray();
    EXPECT_TRUE(body["errors"].isArray() || body["error"].isString() || lncrawl) << answer.body;
    if (body["errors"].isArray()) {
      EXPECT_EQ(body["status"].intOr(0), answer.status);
    }
    return;
  }
  const auto type = answer.headers.find("content-type");
  ASSERT_NE(type, answer.headers.end());
  EXPECT_EQ(type->second, "application/problem+json");
  EXPECT_EQ(body["status"].intOr(0), answer.status) << answer.body;
  for (const char* name : {"type", "title", "code", "detail"})
    EXPECT_TRUE(body[name].isString()) << name << answer.body;
}

std::size_t openFiles() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{}));
}

/// Halves of uploads, wherever they lie.
std::set<std::string> strays(const fs::path& folder) {
  std::set<std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto name = fs::relative(entry.path(), folder).string();
    if (name.find(".part-") != std::string::npos) all.insert(name);
  }
  return all;
}

class HostileRequests : public testing::Test {
 protected:
  HostileRequests() : random_(seed_) { RecordProperty("seed", std::to_string(seed_)); }

  const std::uint64_t seed_ = seed();
  Random random_;
};

TEST_F(HostileRequests, OfEveryOperationAreAnsweredInItsShape) {
  ApiHost host;
  host.submit();
  host.addUser("ada");
  const auto session = host.logIn("ada");
  const Document document(host.call("GET", "/api/v1/openapi.json").body);
  const auto operations = document.operations();
  ASSERT_GT(operations.size(), 30U);
  const auto before = openFiles();
  std::map<int, int> statuses;
  for (int round = 0; round < 25 * rounds(); ++round) {
    for (const auto& operation : operations) {
      if (operation.path == "/api/v1/auth/password" || operation.path == "/api/v1/auth/logout")
        continue;  // ends our own
      const bool with_body = operation.body.isObject() && random_() % 3 != 0;
      const auto target = hostileTarget(operation, random_, with_body);
      const auto body = with_body            ? hostileBody(document, operation, random_)
                        : random_() % 4 == 0 ? oneOf(hostileValues(), random_)
                                             : std::string();
      const auto headers = hostileHeaders(operation, random_);
      const auto who = random_() % 6;
      const auto credentials = who == 0   ? std::string()
                               : who == 1 ? session
                                          : "Authorization: Bearer " + host.adminKey() + "\r\n";
      const auto answer = host.bare(operation.method, target, body, credentials + headers);
      SCOPED_TRACE("JOBHOST_SEED=" + std::to_string(seed_) + " " + operation.method + " " + target.substr(0, 300) +
                   "\n" + headers.substr(0, 300) + "\n" + body.substr(0, 400));
      expectShape(operation.path, answer);
      ++statuses[answer.status];
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(statuses[400] + statuses[422], 100) << "the generator reaches the checks of the handlers";
  EXPECT_EQ(host.call("GET", "/api/v1/jobs").status, 200);
  EXPECT_LE(openFiles(), before + 4) << "descriptors were left open";
  EXPECT_TRUE(strays(host.data()).empty()) << *strays(host.data()).begin();
}

/// Shapes that two servers in a row could read in two ways, and lines no parser should take.
TEST_F(HostileRequests, WithTwoReadingsAreRefusedAndTheConnectionEnds) {
  using namespace std::string_literals;  // texts with a NUL in them
  ApiHost host;
  const std::string key = "X-API-Key: " + host.adminKey() + "\r\n";
  const std::string post = "POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\n" + key;
  const std::string smuggled = "GET /api/v1/smuggled HTTP/1.1\r\nHost: t\r\n\r\n";
  for (const std::string& request : std::vector<std::string>{
           post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + smuggled,
           post + "Content-Length: 5, 5\r\n\r\nhello" + smuggled,
           post + "Content-Length: +5\r\n\r\nhello" + smuggled,
           post + "Content-Length: -5\r\n\r\nhello" + smuggled,
           post + "Content-Length: 0x5\r\n\r\nhello" + smuggled,
           post + "Content-Length: 5 \t5\r\n\r\nhello" + smuggled,
           post + "Content-Length: 99999999999999999999\r\n\r\nhello" + smuggled,
           post + "Content-Length:\r\n\r\n" + smuggled,
           post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled,
           post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled,
           post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + smuggled,
           post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled,
           post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
           post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled,
           post +
               "Transfer-Encoding:\x0b"
               "chunked\r\n\r\n0\r\n\r\n" +
               smuggled,
           post + "Transfer-Encoding: chunked\r\n\r\n5;ext=\"\n\"\r\nhello\r\n0\r\n\r\n" + smuggled,
           post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + smuggled,
           post + "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" + smuggled,
           post + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n" + smuggled,
           post + "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n" + smuggled,
           post + "Content-Length: 2\r\n folded: yes\r\n\r\n{}" + smuggled,
           "POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nHost: u\r\n" + key + "Content-Length: 2\r\n\r\n{}" + smuggled,
           "POST /api/v1/jobs HTTP/1.1\r\n" + key + "Content-Length: 2\r\n\r\n{}" + smuggled,
           "POST  /api/v1/jobs HTTP/1.1\r\nHost: t\r\n\r\n" + smuggled,
           "POST /api/v1/jobs\tHTTP/1.1\r\nHost: t\r\n\r\n" + smuggled,
           "GET /api/v1/jobs HTTP/1.1\rHost: t\r\r" + smuggled,
           "GET /api/v1/jobs HTTP/1.1\r\nHost: t\r\nA\0B: c\r\n\r\n"s + smuggled,
           "GET /api/v1/jobs HTTP/1.1\r\nHost: t\r\nA: b\0c\r\n\r\n"s + smuggled,
           "GET /api/v1/jobs HTTP/1.1\r\nHost: t\r\n: empty\r\n\r\n" + smuggled,
           "GET /api/v1/jobs HTTP/1.1\r\nHost: t\r\nno colon\r\n\r\n" + smuggled,
           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
           "GET /api/v1/jobs\r\n\r\n",
           "\r\n\r\n\r\n\r\n\r\n\r\nx\r\n\r\n"}) {
    Wire wire(host.port());
    wire.send(request);
    const auto answer = wire.receive();
    SCOPED_TRACE(request.substr(0, 300));
    if (answer.status != 0) {  // an early line that is no HTTP at all may end the connection without a word
      EXPECT_GE(answer.status, 400);
      EXPECT_LT(answer.status, 502);
      EXPECT_TRUE(answer.closed);
    }
    EXPECT_TRUE(wire.atEnd()) << "what was behind it was read as a request";
  }
  EXPECT_EQ(host.call("GET", "/api/v1/jobs").status, 200);
}

TEST_F(HostileRequests, OfAnySizeEndInTheirLimits) {
  ApiHost host;
  const auto send = [&](const std::string& head) {
    Wire wire(host.port());
    wire.send(head);
    return wire.receive().status;
  };
  EXPECT_EQ(send("GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\nHost: t\r\n\r\n"), 414);
  EXPECT_EQ(send("GET / HTTP/1.1\r\nHost: t\r\nA: " + std::string(100'000, 'a') + "\r\n\r\n"), 431);
  EXPECT_EQ(send("GET / HTTP/1.1\r\nHost: t\r\n" + repeated("A: b\r\n", 1000) + "\r\n"), 431);
  EXPECT_EQ(send("POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() +
                 "\r\nContent-Length: 999999999999\r\n\r\n"),
            413);
  EXPECT_EQ(send("POST /api/v1/inputs HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() +
                 "\r\nContent-Length: 999999999999\r\n\r\n"),
            413);
  std::string many = R"({"jobs":[)";
  for (int i = 0; i < 20'000; ++i) many += R"({"type":"echo"},)";
  many.back() = ']';
  const auto bulk = host.call("POST", "/api/v1/jobs/bulk", many + "}");
  EXPECT_GE(bulk.status, 400) << bulk.body.substr(0, 300);
  EXPECT_LT(bulk.status, 500);
}

/// Clients that go away in the middle cost nothing: no thread, no descriptor, no half of an upload.
TEST_F(HostileRequests, CutOffAnywhereLeaveNothingBehind) {
  ApiHost host;
  const std::string body = R"({"type":"echo","params":{"a":"b"}})";
  const std::string whole = "POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() +
                            "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  const std::string upload = "POST /api/v1/inputs?name=x.bin HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() +
                             "\r\nContent-Type: application/octet-stream\r\nContent-Length: 100000\r\n\r\n" +
                             std::string(50'000, 'u');
  host.call("GET", "/api/v1/jobs");
  const auto before = openFiles();
  for (int round = 0; round < rounds(); ++round) {
    for (int i = 0; i < 50; ++i) {  // fewer than may wait for a thread
      const auto& request = i % 5 == 0 ? upload : whole;
      Wire wire(host.port());
      wire.send(request.substr(0, random_() % request.size()));
    }
    for (int i = 0; i < 5; ++i) ASSERT_EQ(host.call("GET", "/api/v1/jobs").status, 200);
  }
  host.server().stop();
  EXPECT_LE(openFiles(), before);
  EXPECT_TRUE(strays(host.data()).empty()) << *strays(host.data()).begin();
}

}  // namespace
}  // namespace jobhost::test
