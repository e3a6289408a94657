#pragma once

#include <jobhost/plugin.hpp>

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "fetch-novel/page.hpp"
#include "support/common/failure.hpp"

namespace jobhost::novel {

/// How a step fails: `summary` is the error's message, what caused it goes into the details as "cause".
struct StepFailure {
  const char* code;  ///< "novel.fetch_failed"
  const char* summary;
};
inline constexpr StepFailure kNoUrl{"novel.no_url", "No novel url"};
inline constexpr StepFailure kNovelFailed{"novel.fetch_failed", "Failed to fetch novel"};
inline constexpr StepFailure kRequestsFailed{"novel.requests_failed", "Failed to create requests"};
inline constexpr StepFailure kContentsFailed{"novel.contents_failed", "Failed to fetch contents"};
inline constexpr StepFailure kChapterFailed{"novel.chapter_failed", "Failed to fetch chapter"};
inline constexpr StepFailure kDownloadFailed{"novel.download_failed", "Failed to download image"};
inline constexpr StepFailure kImageFailed{"novel.image_failed", "Failed to fetch image"};

/// What the params or the configuration are to blame for (`error_class`) stays that; all else is permanent.
[[nodiscard]] Error failed(const StepFailure& how, const std::string& cause,
                           std::int32_t error_class = JH_CLASS_PERMANENT);

/// What a crawl's error says, with the answer that it comes from: "HTTPError: 403 Client Error: Forbidden for url: …".
[[nodiscard]] std::string causeOf(const CrawlError& error, const std::string& refusal);

/// Runs a step. Whatever it throws becomes `how`, but what a step inside of it has failed with and being asked to stop.
template <class Step>
auto step(Job& job, const StepFailure& how, Step&& run) {
  try {
    return run();
  } catch (const CrawlError& error) {
    throw failed(how, error.what());
  } catch (const support::Failure& failure) {
    throw failed(how, failure.code() + ": " + failure.what());
  } catch (const support::Stopped&) {
    job.check();
    throw Cancelled{};
  } catch (const Error& error) {
    if (error.code().starts_with("novel.")) throw;
    throw failed(how, error.code() + ": " + error.message(), error.errorClass());
  } catch (const std::exception& error) {
    throw failed(how, error.what());
  }
}

/// Makes the jobs below this one, each once: a later attempt finds those that are there by their keys. When not all of
/// them can be made the step fails and leaves the others as they are: the host cancels them if the job fails with it,
/// and has them run again if it is tried once more.
class Children {
 public:
  explicit Children(Job& job) : job_(job) {}
  std::int64_t make(std::string_view type, const Json& params, const std::string& key,
                    const std::vector<std::int64_t>& after = {});
  [[nodiscard]] std::size_t size() const { return made_; }

 private:
  Job& job_;
  std::size_t made_ = 0;
};

/// The members `names` of `from` that are there.
[[nodiscard]] Json picked(const Json& from, std::initializer_list<std::string_view> names);

}  // namespace jobhost::novel
