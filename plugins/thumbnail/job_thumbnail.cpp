#include <fcntl.h>

#include <optional>
#include <utility>

#include "support/job/job_failures.hpp"
#include "thumbnail/jobs.hpp"
#include "thumbnail/page_source.hpp"
#include "thumbnail/settings.hpp"
#include "thumbnail/video_frame.hpp"

namespace jobhost::thumbnail {
namespace {

constexpr int kDefaultBox = 512;
constexpr int kMaxSide = 16384;
constexpr double kMaxTime = 1e6;  // seconds
constexpr int kMaxPage = 1'000'000;

support::ThumbnailOptions readOptions(const Value& params) {
  support::ThumbnailOptions options;
  options.preview = true;
  options.width = static_cast<int>(params["width"].integer(1, kMaxSide, 0));
  options.height = static_cast<int>(params["height"].integer(1, kMaxSide, 0));
  options.fit = *support::parseFit(params["fit"].oneOf({"inside", "cover", "pad", "stretch"}, "inside"));
  options.format = *support::parseFormat(params["format"].oneOf({"jpeg", "png", "webp", "avif"}, "jpeg"));
  options.quality = static_cast<int>(params["quality"].integer(1, 100, options.quality));
  options.strip = params["strip"].boolean(true);
  options.enlarge = params["enlarge"].boolean(false);
  if (const Value background = params["background"]) {
    options.background = support::parseColour(background.str());
    if (!options.background) background.fail("must be #rgb, #rrggbb, #rrggbbaa, white, black or transparent");
  }
  if (options.width == 0 && options.height == 0) options.width = options.height = kDefaultBox;
  if (options.fit != support::Fit::Inside) {
    for (const char* side : {"width", "height"}) {
      if (!params[side] && (options.width == 0 || options.height == 0)) params[side].fail("is needed for this fit");
    }
  }
  return options;
}

// The uploaded input that is meant: the one named, or the only one.
std::string inputPath(Job& job, const Value& params) {
  if (params["input"]) return job.inputPath(params["input"].str());
  const auto inputs = job.inputs();
  if (inputs.size() == 1) return job.inputPath(inputs.front().name);
  params["source"].fail(inputs.empty() ? "is missing; give it, or upload an input"
                                       : "is missing, and with several inputs /input must name one");
}

support::UniqueFd openSource(Job& job, const Value& params, const Settings& settings) {
  if (params["source"]) {
    if (params["input"]) params["input"].fail("cannot be given together with /source");
    return settings.roots.openFile(params["source"].str());
  }
  support::UniqueFd file(::open(inputPath(job, params).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) throw Error::badInput("/input: cannot be read").code("input.unreadable");
  return file;
}

Json make(Job& job) {
  const Value params = job.params();
  const support::ThumbnailOptions options = readOptions(params);
  const int page = static_cast<int>(params["page"].integer(0, kMaxPage, 0));
  const Settings settings = readSettings(job);

  std::optional<double> time_s;
  if (params["time"]) time_s = params["time"].number(0, kMaxTime, 0);

  job.progress(0, 2, "reading");
  support::UniqueFd file = openSource(job, params, settings);
  support::SourceKind kind = support::kindOf({file.get(), {}});
  support::Thumbnail made;
  if (kind == support::SourceKind::Video) {
    if (page > 1) params["page"].fail("a video has no pages; name a time");
    made = makeVideoThumbnail(job, file.get(), time_s, options, settings);
  } else {
    if (time_s) params["time"].fail("is for videos");
    PageSource source(std::move(file), settings, support::stopCheckOf(job));
    made = source.make(page, options);
    kind = source.kind();
  }
  job.progress(1, 2, "writing");

  const std::string name = std::string("thumbnail.") + support::fileEnding(made.format);
  job.output(name, support::mimeType(made.format)).append(made.bytes.data(), made.bytes.size()).commit();
  job.progress(2, 2);
  return {{"output", name},
          {"media_type", support::mimeType(made.format)},
          {"format", support::toString(made.format)},
          {"width", made.width},
          {"height", made.height},
          {"bytes", made.bytes.size()},
          {"page", page},
          {"source_kind", support::toString(kind)},
          {"thumbhash", made.preview.thumbhash},
          {"blurhash", made.preview.blurhash},
          {"dominant_color", made.preview.dominant_colour}};
}

}  // namespace

Json runThumbnail(Job& job) {
  return support::translated(job, make);
}

}  // namespace jobhost::thumbnail
