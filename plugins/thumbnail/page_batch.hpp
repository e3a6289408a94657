#pragma once

#include <functional>
#include <string>
#include <vector>

#include "thumbnail/page_source.hpp"

namespace jobhost::thumbnail {

/// Makes many pages of one source on several threads.
///
/// An archive is unpacked in one pass by a thread of its own, a bounded number of bytes ahead; the other threads make
/// and deliver thumbnails. A PDF's pages are rendered side by side from one mapping. Everything has ended when run()
/// returns, also after a stop, which is heard within one picture's work.
class PageBatch {
 public:
  struct Options {
    int threads = 1;
    support::ThumbnailOptions thumbnail;
    std::size_t ahead_bytes = 128 << 20;  ///< unpacked pages that may wait
  };
  /// Called on any of the batch's threads: what to do with a finished page. May throw support::Failure.
  using Sink = std::function<void(int page, const support::Thumbnail& thumbnail)>;
  /// Called on the caller's thread, once for each page in any order; `error` is empty when the page was made.
  using Report = std::function<void(int page, const std::string& error)>;

  PageBatch(PageSource& source, const Settings& settings, Options options, support::StopCheck stop);

  /// Makes `pages` (from 1). Throws support::Stopped once asked to stop, and what `report` throws.
  void run(const std::vector<int>& pages, const Sink& sink, const Report& report);

 private:
  class State;

  void feed(State& state, const std::vector<int>& pages);
  void work(State& state, const Sink& sink, const MappedFile* mapped);

  PageSource& source_;
  const Settings& settings_;
  Options options_;
  support::StopCheck stop_;
};

}  // namespace jobhost::thumbnail
