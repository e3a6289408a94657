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

  const auto done = host.run("{{type}}", {{"text", "hello"}});
  expect(done.succeeded() && done.complaints.empty(), "it succeeds and breaks no rule");
  expect(done.result["bytes"].intOr(0) == 16, "it answers how much it wrote");
  expect(done.succeeded() && done.outputs.at("params.json") == R"({"text":"hello"})", "it writes its params");

  host.cancel();
  const auto stopped = host.run("{{type}}", {{"text", "hello"}});
  expect(stopped.code == JH_E_CANCELLED && stopped.outputs.empty(), "it stops when it is asked to");

  for (const auto& call : done.calls) {
    if (!call.can_fail) continue;
    host.failCall(call.number, JH_E_IO);
    const auto broken = host.run("{{type}}", {{"text", "hello"}});
    expect(!broken.succeeded() && broken.complaints.empty(), call.name.c_str());
  }
  return failures == 0 ? 0 : 1;
}
