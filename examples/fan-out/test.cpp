// Usage: test fan-out.so
#include <jobhost/testing.hpp>

#include <cstdio>

using jobhost::testing::Child;
using jobhost::testing::ChildEnd;

int main(int, char** argv) {
  jobhost::testing::FakeHost host{std::string(argv[1])};
  const auto squared = [](const Child& child) {
    const auto n = child.params["n"].intOr(0);
    return ChildEnd::succeeded(n * n);
  };
  host.onChild(squared);
  const auto first = host.run("sum-of-squares", {{"n", 4}});
  const auto second = host.runAgain();
  bool good = first.code == JH_E_SUSPENDED && first.children.size() == 4 && second.result["sum"].intOr(0) == 30;

  // An attempt that is lost before its checkpoint makes no child twice.
  host.failCall("checkpoint.save", 1, JH_E_IO);
  const auto lost = host.run("sum-of-squares", {{"n", 3}});
  const auto again = host.runAgain();
  good = good && !lost.succeeded() && again.code == JH_E_SUSPENDED && again.children.size() == 3;

  host.onChild([](const Child&) { return ChildEnd::failed("broken", "a child broke"); });
  good = good && host.runToEnd("sum-of-squares", {{"n", 1}}).error_class == JH_CLASS_PERMANENT;
  std::puts(good ? "good" : "failed");
  return good ? 0 : 1;
}
