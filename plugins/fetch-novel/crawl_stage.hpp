#pragma once

#include <functional>
#include <string>

#include "fetch-novel/crawl.hpp"

namespace jobhost::novel {

/// What a stage offers to its templates, and how to tell whether a page of it has items.
struct Crawl::Stage {
  std::string name;
  std::string query;
  const Chapter* chapter = nullptr;
  std::function<bool(const Page&)> has_items;
  std::string request_url;
  int page = 0;
};

}  // namespace jobhost::novel
