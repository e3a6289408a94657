#include <algorithm>
#include <optional>
#include <vector>

#include "artifact/epub_of.hpp"
#include "artifact/formats.hpp"
#include "artifact/jobs.hpp"

namespace jobhost::artifact {
namespace {

// Conversions of batches stand in queues, as many as may run at once, so that those that wait hold no runner that could
// make other books. Who runs without one (a single job, one of the lowest priority) is held back by Turn.
constexpr const char* kQueue = "artifact-conversions-";

constexpr std::string_view kSummary = "Failed to create requests";

std::vector<Format> readFormats(Job& job) {
  std::vector<Format> formats;
  for (const std::string& name : job.params()["formats"].strings()) {
    const auto format = formatOf(name);
    if (!format) {
      throw jobError(JH_CLASS_BAD_INPUT, "artifact.format", std::string(kSummary),
                     "Invalid format: " + name.substr(0, 100));
    }
    if (std::find(formats.begin(), formats.end(), *format) == formats.end()) formats.push_back(*format);
  }
  return formats;
}

/// The jobs of one batch, made one after the other. Where one cannot be made the batch fails, and the host cancels the
/// others with it, or keeps them for its next attempt.
class Requests {
 public:
  Requests(Job& job, std::string novel_id)
      : job_(job),
        novel_id_(std::move(novel_id)),
        priority_(job.info()["priority"].integer(INT64_MIN, INT64_MAX, 0)),
        queues_(static_cast<std::size_t>(job.config()["max_conversions"].integer(1, 64, 1))) {}

  void epub() {
    epub_ = submit(Format::Epub);
    rememberEpub(job_, job_.id(), *epub_);
  }
  void add(Format format) { submit(format); }
  [[nodiscard]] std::size_t count() const { return made_; }

 private:
  std::int64_t submit(Format format) {
    const std::string name(nameOf(format));
    Json params{{"novel_id", novel_id_}, {"format", name}};
    if (const Value title = job_.params()["novel_title"]; title.present()) params.set("novel_title", title.str());
    ChildOptions options;
    options.dedupe_key = name;
    options.max_attempts = 1;
    if (needsConverter(format)) {
      options.after = {*epub_};
      // Jobs of the lowest priority have their owner's queue, which lets one run at a time anyway.
      if (priority_ > 0) options.queue_key = kQueue + std::to_string(made_ % queues_);
    }
    ++made_;
    return job_.submit("artifact", params, options);
  }

  Job& job_;
  std::string novel_id_;
  std::int64_t priority_;
  std::size_t queues_;
  std::optional<std::int64_t> epub_;
  std::size_t made_ = 0;
};

}  // namespace

Json runArtifactBatch(Job& job) {
  const std::string novel_id = job.params()["novel_id"].str("");
  if (novel_id.empty()) {
    throw jobError(JH_CLASS_BAD_INPUT, "artifact.no_novel_id", "No novel id", "/novel_id: is missing");
  }
  const std::vector<Format> formats = readFormats(job);
  Requests requests(job, novel_id);
  std::string summary = "Failed to create epub request";
  try {
    const bool converted = std::any_of(formats.begin(), formats.end(), &needsConverter);
    if (converted) requests.epub();
    summary = kSummary;
    for (const Format format : formats) {
      if (!converted || format != Format::Epub) requests.add(format);
      job.progress(static_cast<double>(requests.count()), 0);
    }
  } catch (const Error& error) {
    throw jobError(error.errorClass(), error.code(), summary, error.message());
  }
  return Json{{"jobs", requests.count()}};
}

}  // namespace jobhost::artifact
