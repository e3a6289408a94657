#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fetch-novel/crawl.hpp"
#include "fetch-novel/spec_set.hpp"

namespace jobhost::novel {

/// Files that are only in memory.
class TextFiles : public SpecFiles {
 public:
  explicit TextFiles(std::map<std::string, std::string> files) : files_(std::move(files)) {}
  [[nodiscard]] std::vector<std::string> list() const override;
  [[nodiscard]] std::optional<std::string> read(const std::string& path) const override;

 private:
  std::map<std::string, std::string> files_;
};

/// A folder with one file.
inline TextFiles oneFile(const std::string& path, const std::string& text) {
  std::map<std::string, std::string> files;
  files[path] = text;
  return TextFiles(std::move(files));
}

/// A web site of a test. What was asked for is in `asked`: "GET http://a.test/x" or "POST http://a.test/x body".
class Site : public Fetcher {
 public:
  Site& page(const std::string& url, const std::string& body, const std::string& type = "text/html; charset=utf-8");
  /// Answers with a status only, `times` times; then the page, if there is one.
  Site& answers(const std::string& url, int status, int times = 1'000'000);
  Site& header(const std::string& url, const std::string& name, const std::string& value);
  Site& redirect(const std::string& url, const std::string& to);
  HttpResponse fetch(const HttpRequest& request) override;

  std::vector<std::string> asked;
  std::vector<HttpRequest> requests;

 private:
  std::map<std::string, HttpResponse> pages_;
  std::map<std::string, std::pair<int, int>> statuses_;
  std::map<std::string, std::string> redirects_;
};

/// The spec of the host a.test, with `text` after the first lines; fails the test when it is not accepted.
std::shared_ptr<const Spec> spec(const std::string& text);
/// All problems of that spec, one a line.
std::string problemsOf(const std::string& text, const std::map<std::string, std::string>& others = {});

/// A whole spec with one part replaced: `toc` and `chapter` are there unless `text` has its own.
std::shared_ptr<const Spec> specWith(const std::string& text);

/// As crawled, before normalise(): chapters "c1", "c2", … at a.test, in no volume.
Novel novelOf(int chapters);

}  // namespace jobhost::novel
