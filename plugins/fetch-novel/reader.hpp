#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fetch-novel/crawl.hpp"
#include "fetch-novel/novel.hpp"
#include "fetch-novel/settings.hpp"
#include "fetch-novel/spec.hpp"
#include "fetch-novel/web.hpp"

namespace jobhost::novel {

/// Reads novels of one site: by its spec, or by guessing where there is none. One thread; borrows `web`.
///
/// Throws what Web and Crawl throw.
class Reader {
 public:
  /// `spec`: nullptr to guess. `url`: of the novel.
  Reader(const Settings& settings, Web& web, std::shared_ptr<const Spec> spec, std::string_view url);

  /// The novel at the address, normalised.
  Novel novel(const std::string& url);
  /// The text of a chapter as it is stored.
  std::string chapter(const std::string& novel_url, const Chapter& chapter);

  /// As of crawlerVersion().
  [[nodiscard]] int version() const { return version_; }
  /// The root address of the site; goes into the ids of images.
  [[nodiscard]] const std::string& site() const { return site_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const;

 private:
  Page page(const std::string& url);
  Novel guessed(const std::string& url);

  const Settings& settings_;
  Web& web_;
  std::shared_ptr<const Spec> spec_;
  std::unique_ptr<Crawl> crawl_;
  int version_;
  std::string site_;
  std::vector<std::string> warnings_;
};

}  // namespace jobhost::novel
