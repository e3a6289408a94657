// Usage: test http-fetcher.so
#include <jobhost/testing.hpp>

#include <cstdio>

using jobhost::testing::Fetch;
using jobhost::testing::FetchEnd;

int main(int, char** argv) {
  jobhost::testing::FakeHost host{std::string(argv[1])};
  const auto run = [&](FetchEnd end) {
    host.onFetch([end](const Fetch&) { return end; });
    return host.run("http-fetch", {{"url", "https://example.com/page"}, {"retries", 2}});
  };
  const auto page = run(FetchEnd::ok("<p>hello</p>", "text/html; charset=utf-8"));
  const auto missing = run(FetchEnd::answered(404, "not here"));
  const auto late = run(FetchEnd::timeout());
  host.onFetch([&](const Fetch&) {
    host.cancel();
    return FetchEnd::ok("too late");
  });
  const auto stopped = host.run("http-fetch", {{"url", "https://example.com/page"}});
  const bool good = page.succeeded() && page.outputs.at("page") == "<p>hello</p>" &&
                    page.media_types.at("page") == "text/html" && page.result["bytes"].intOr(0) == 12 &&
                    page.fetches.at(0).request["retries"].intOr(0) == 2 && page.complaints.empty() &&
                    missing.error_code == "http.404" && missing.error_class == JH_CLASS_PERMANENT &&
                    missing.outputs.empty() && missing.complaints.empty() && late.error_code == "http.timeout" &&
                    late.error_class == JH_CLASS_UPSTREAM && stopped.code == JH_E_CANCELLED;
  std::puts(good ? "good" : "failed");
  return good ? 0 : 1;
}
