#include "site.hpp"

#include <gtest/gtest.h>

namespace jobhost::novel {

std::vector<std::string> TextFiles::list() const {
  std::vector<std::string> out;
  for (const auto& [path, text] : files_) out.push_back(path);
  return out;
}

std::optional<std::string> TextFiles::read(const std::string& path) const {
  const auto found = files_.find(path);
  if (found == files_.end()) return std::nullopt;
  return found->second;
}

Site& Site::page(const std::string& url, const std::string& body, const std::string& type) {
  pages_[url] = {url, 200, {{"Content-Type", type}}, body};
  return *this;
}

Site& Site::answers(const std::string& url, int status, int times) {
  statuses_[url] = {status, times};
  return *this;
}

Site& Site::header(const std::string& url, const std::string& name, const std::string& value) {
  pages_.at(url).headers.emplace_back(name, value);
  return *this;
}

Site& Site::redirect(const std::string& url, const std::string& to) {
  redirects_[url] = to;
  return *this;
}

HttpResponse Site::fetch(const HttpRequest& request) {
  asked.push_back(request.method + " " + request.url + (request.body.empty() ? "" : " " + request.body));
  requests.push_back(request);
  if (const auto status = statuses_.find(request.url); status != statuses_.end() && status->second.second > 0) {
    --status->second.second;
    return {request.url, status->second.first, {}, ""};
  }
  const auto redirected = redirects_.find(request.url);
  const auto found = pages_.find(redirected == redirects_.end() ? request.url : redirected->second);
  if (found == pages_.end()) return {request.url, 404, {}, "not found"};
  return found->second;
}

namespace {
const std::string kHead = "spec: 1\nbase_url: http://a.test/\n";
}

std::shared_ptr<const Spec> spec(const std::string& text) {
  std::vector<SpecProblem> problems;
  auto out = loadSpec(oneFile("specs/a.test.yaml", kHead + text), "specs/a.test.yaml", problems);
  for (const SpecProblem& problem : problems) ADD_FAILURE() << problem.text();
  return out;
}

std::string problemsOf(const std::string& text, const std::map<std::string, std::string>& others) {
  std::map<std::string, std::string> files = others;
  files["specs/a.test.yaml"] =
      text.starts_with("spec:") || text.starts_with("{") || text.starts_with("!") ? text : kHead + text;
  std::vector<SpecProblem> problems;
  loadSpec(TextFiles(files), "specs/a.test.yaml", problems);
  std::string out;
  for (const SpecProblem& problem : problems) out += problem.text() + "\n";
  return out;
}

std::shared_ptr<const Spec> specWith(const std::string& text) {
  std::string all = text;
  if (text.find("\ntoc:") == std::string::npos && !text.starts_with("toc:")) {
    all +=
        "toc:\n  request: { page: novel }\n  items: { css: \".toc a\", fields: { title: {}, url: { attr: href } } }\n";
  }
  if (text.find("\nchapter:") == std::string::npos && !text.starts_with("chapter:"))
    all += "chapter: { body: { css: \"#text\" } }\n";
  return spec(all);
}

Novel novelOf(int chapters) {
  Novel out;
  out.title = "t";
  for (int i = 1; i <= chapters; ++i) {
    Chapter chapter;
    chapter.title = "c" + std::to_string(i);
    chapter.url = "http://a.test/" + std::to_string(i);
    out.chapters.push_back(chapter);
  }
  return out;
}

}  // namespace jobhost::novel
