// What a job may do under the sandbox of the host. Named here so that nobody takes silence for consent.
#include "devtools/check.hpp"

namespace jobhost::devtools {
namespace {

constexpr std::string_view kLater =
    "this jobhost confines jobs at the level basic alone (resource limits, no_new_privs)";

Finding never(Bench&) {
  return skipped(std::string(kLater));
}

Rule later(Rule rule) {
  rule.not_yet = kLater;
  return rule;
}

}  // namespace

std::vector<Rule> sandboxRules() {
  return {
      later({"sandbox.standard", Level::Standard, true, "It runs the same under Landlock and seccomp", &never}),
      later({"sandbox.full", Level::Strict, true, "It runs the same under another user and namespaces", &never}),
  };
}

}  // namespace jobhost::devtools
