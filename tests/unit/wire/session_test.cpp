// The session that docs/protocol.md shows in bytes is what this code writes and reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "wire/frame.hpp"
#include "wire/messages.hpp"

namespace jobhost::wire {
namespace {

std::string documented() {
  std::ifstream in(std::string(JOBHOST_SOURCE_DIR) + "/docs/protocol.md", std::ios::binary);
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  const std::string begin = "```hex\n";
  const auto at = page.find(begin);
  if (at == std::string::npos) return {};
  return page.substr(at + begin.size(), page.find("```", at + begin.size()) - at - begin.size());
}

class Dump {
 public:
  template <class Message>
  void add(const char* arrow, FrameType type, const Message& message, std::uint32_t id = 0, std::uint32_t job = 0) {
    std::string bytes;
    FrameWriter frame(bytes, type, id, job);
    encode(frame.payload(), message);
    frame.finish();
    text += std::string(arrow) + " " + std::string(toString(type)) + "\n";
    for (std::size_t at = 0; at < bytes.size(); at += 16) row(at, bytes.substr(at, 16));
    stream += bytes;
  }

  std::string text;
  std::string stream;

 private:
  void row(std::size_t at, const std::string& bytes) {
    constexpr char kHex[] = "0123456789abcdef";
    std::string hex;
    std::string shown;
    for (const char c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      hex += std::string(hex.empty() ? "" : " ") + kHex[byte >> 4] + kHex[byte & 15];
      shown += byte >= 32 && byte < 127 ? c : '.';
    }
    const std::string offset{kHex[(at >> 12) & 15], kHex[(at >> 8) & 15], kHex[(at >> 4) & 15], kHex[at & 15]};
    text += "  " + offset + "  " + hex + std::string(47 - hex.size(), ' ') + "  " + shown + "\n";
  }
};

Dump session() {
  Dump dump;
  Hello hello;
  hello.pid = 7;
  hello.abi_major = 1;
  hello.runner_version = "demo";
  dump.add("←", FrameType::Hello, hello);
  Welcome welcome;
  welcome.host_version = "0.1.0";
  welcome.work_dir = "/w";
  welcome.max_result_bytes = 1 << 20;
  dump.add("→", FrameType::Welcome, welcome);
  dump.add("→", FrameType::Load, Load{"/p/hi.py", "/d", "{}"}, 1);
  Loaded loaded;
  loaded.abi_major = 1;
  loaded.sandbox = SandboxLevel::Basic;
  loaded.init_us = 250;
  loaded.types = {"hi"};
  dump.add("←", FrameType::Loaded, loaded);
  Run run;
  run.job_id = 42;
  run.flags = kRunHasCheckpoint;
  run.params = "{}";
  run.inputs = {{"a.txt", "text/plain", 6}};
  dump.add("→", FrameType::Run, run, 2, 1);
  dump.add("←", FrameType::Progress, Progress{1, 2, "half"}, 0, 1);
  dump.add("←", FrameType::Log, Log{2, 1'700'000'000'000'000, "hello"}, 0, 1);
  Done done;
  done.started_us = 1'700'000'000'000'000;
  done.finished_us = 1'700'000'000'000'500;
  done.cpu_us = 400;
  done.peak_rss_bytes = 9'000'000;
  done.result_json = "true";
  dump.add("←", FrameType::Done, done, 0, 1);
  dump.add("→", FrameType::Drain, Ping{});
  dump.add("←", FrameType::Bye, Bye{"drained"});
  return dump;
}

TEST(Protocol, TheDocumentedSessionIsWhatIsWritten) {
  auto page = documented();
  auto written = session().text;
  for (std::string* text : {&page, &written}) {  // the page has no blanks at the end of a line
    for (auto at = text->find(" \n"); at != std::string::npos; at = text->find(" \n")) text->erase(at, 1);
  }
  EXPECT_EQ(page, written);
}

TEST(Protocol, TheDocumentedSessionCanBeRead) {
  FrameReader reader;
  reader.feed(session().stream);
  std::vector<std::string> names;
  Frame frame;
  while (reader.next(frame) == FrameReader::Status::Message) {
    names.emplace_back(toString(frame.type));
    if (frame.type == FrameType::Run) {
      wire::Run run;
      ASSERT_TRUE(decode(frame.payload, run));
      EXPECT_EQ(run.job_id, 42U);
      EXPECT_EQ(run.inputs.at(0).name, "a.txt");
    }
  }
  EXPECT_THAT(names, testing::ElementsAre("HELLO", "WELCOME", "LOAD", "LOADED", "RUN", "PROGRESS", "LOG", "DONE",
                                          "DRAIN", "BYE"));
  EXPECT_FALSE(reader.midMessage());
}

}  // namespace
}  // namespace jobhost::wire
