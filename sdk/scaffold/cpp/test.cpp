// Usage: {{name}}_test {{name}}.so (ctest passes it)
#include <jobhost/testing.hpp>

#include <cstdio>

using jobhost::testing::FakeHost;

static int failures = 0;
static void expect(bool good, const char* what) {
  if (good) return;
  ++failures;
  std::printf("failed: %s\n", what);
}

int main(int argc, char** argv) {
  if (argc != 2) return std::printf("usage: {{name}}_test {{name}}.so\n"), 2;
  FakeHost host{std::string(argv[1])};

  const auto done = host.run("{{type}}", {{"text", "hello"}, {"times", 2}});
  expect(done.succeeded() && done.complaints.empty(), "it succeeds and breaks no rule");
  expect(done.result["lines"].intOr(0) == 2, "it answers how much it wrote");
  expect(done.succeeded() && done.outputs.at("text.txt") == "hello\nhello\n", "it writes the text");

  const auto wrong = host.run("{{type}}", {{"text", 7}});
  expect(wrong.error_message == "/text: must be a string", "it says which param is wrong");

  host.cancelAtCheck(1);
  const auto stopped = host.run("{{type}}", {{"text", "hello"}, {"times", 1000}});
  expect(stopped.code == JH_E_CANCELLED && stopped.outputs.empty(), "it stops when it is asked to");

  for (const auto& call : done.calls) {
    if (!call.can_fail || call.name == "output.abort") continue;
    host.failCall(call.number, JH_E_IO);
    const auto broken = host.run("{{type}}", {{"text", "hello"}, {"times", 2}});
    expect(!broken.succeeded() && broken.complaints.empty(), call.name.c_str());
  }
  return failures == 0 ? 0 : 1;
}
