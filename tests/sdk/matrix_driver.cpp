// Runs the kit plugin (tests/plugins/kit), whichever compiler made it, through FakeHost, and a C99 plugin beside it.
// Usage: matrix_driver kit.so plugin_c.so. Prints what differs; exit status 0: nothing does.
#include <jobhost/testing.hpp>

#include <cstdio>
#include <string>

namespace {

using jobhost::Json;
using jobhost::testing::Attempt;
using jobhost::testing::Child;
using jobhost::testing::ChildEnd;
using jobhost::testing::FakeHost;

int wrong = 0;

void expect(bool good, const char* what, const Attempt& attempt) {
  if (good) return;
  ++wrong;
  std::printf("%s: code %d, error \"%s\"\n", what, attempt.code, attempt.error_message.c_str());
}

void kit(const char* file) {
  FakeHost host{std::string(file)};
  host.setSecret("TOKEN", "s3cret");
  host.setConfig({{"words", Json::array({"a", "b"})}});
  host.addInputBytes("in.txt", "hello");
  host.onChild([](const Child& child) { return ChildEnd::succeeded({{"n", child.params["n"]}}); });
  const Attempt all = host.run("everything", {{"deep", {{"ratio", 0.1}}}});
  expect(all.succeeded() && all.outputs.size() == 3 && all.complaints.empty(), "everything", all);
  expect(all.result["ratio"].dump() == "0.1", "numbers are written short", all);
  expect(host.runToEnd("fan", {{"n", 4}}).result == (Json{{"sum", 6}}), "fan", all);
  host.cancelAtCheck(3);
  expect(host.run("count", {{"to", 9}}).code == JH_E_CANCELLED, "cancel", all);
  const Attempt failed = host.run("fail", {{"how", "std"}});
  expect(failed.error_message == "a std::exception", "an exception becomes an error", failed);
  expect(host.run("fail", {{"how", "other"}}).error_class == JH_CLASS_INTERNAL, "any exception", failed);
  const Attempt refused = host.run("everything", {{"size", "x"}});
  expect(refused.error_message == "/size: must be an integer", "the pointer", refused);
  host.deinit();
}

void inC(const char* file) {
  FakeHost host{std::string(file)};
  const Attempt done = host.run("echo", {{"a", Json::array({1, 2.5, "x"})}});
  expect(done.succeeded() && done.result == (Json{{"a", Json::array({1, 2.5, "x"})}}), "echo", done);
  host.cancel();
  const Attempt stopped = host.run("echo");
  expect(stopped.code == JH_E_CANCELLED, "echo stops", stopped);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: matrix_driver kit.so plugin_c.so\n", stderr), 2;
  try {
    kit(argv[1]);
    inC(argv[2]);
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    return 1;
  }
  return wrong == 0 ? 0 : 1;
}
