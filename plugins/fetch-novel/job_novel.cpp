#include <algorithm>
#include <set>

#include "fetch-novel/jobs.hpp"
#include "fetch-novel/picture.hpp"
#include "fetch-novel/reader.hpp"
#include "fetch-novel/shelf.hpp"
#include "fetch-novel/source_list.hpp"
#include "fetch-novel/steps.hpp"
#include "fetch-novel/url.hpp"
#include "fetch-novel/utf8.hpp"
#include "support/job/job_failures.hpp"

namespace jobhost::novel {
namespace {

constexpr std::size_t kLoggedWarnings = 50;

/// What became of a novel's page.
struct Fetched {
  std::string id;
  std::string title;
  std::vector<std::string> volumes;
  Json result;
};

std::string normalUrl(const std::string& text) {
  const auto url = parseUrl(text);
  if (!url) throw failed(kNoUrl, "'" + text + "' is no http or https address");
  return url->text();
}

void mentionCredentials(Job& job, const Settings& settings, const std::string& url) {
  if (!settings.credentials.contains(sourceHost(url))) return;
  job.warn("credentials are configured for " + sourceHost(url) +
           ", but source specs cannot log in; what is open to everyone is read");
}

/// One novel and where it is kept.
class NovelJob {
 public:
  NovelJob(Job& job, const Settings& settings, const std::string& url)
      : job_(job), settings_(settings), files_(settings.dir), shelf_(job, files_), web_(job, settings), url_(url) {}

  Fetched run() {
    const auto sources = loadSources(settings_);
    storeSources(job_, *sources);
    mentionCredentials(job_, settings_, url_);
    auto spec = sourceFor(*sources, settings_, url_);
    if (spec == nullptr) job_.log("no source spec for " + sourceHost(url_) + ": the page is read by guessing");
    Reader reader(settings_, web_, std::move(spec), url_);
    const std::optional<Record> before = shelf_.novels.get(novelId(url_));
    const Json& known = before ? before->value : nothing();
    if (known["crawler_version"] == Json(reader.version()))
      web_.ifChanged(url_, std::string(known["etag"].stringOr("")));
    try {
      const Novel novel = reader.novel(url_);
      // What was cut is to be read again the next time, whether the page changed or not.
      const std::string etag = novel.cut.empty() ? web_.etagOf(url_) : std::string();
      web_.ifChanged({}, {});
      return store(novel, reader, known, etag);
    } catch (const NotModified&) {
      return {novelId(url_), std::string(known["title"].stringOr("")), shelf_.volumesOf(novelId(url_)),
              Json{{"novel_id", novelId(url_)}, {"unchanged", true}}};
    }
  }

  [[nodiscard]] const std::string& refusal() const { return web_.refusal(); }

 private:
  static const Json& nothing() {
    static const Json none = Json::object();
    return none;
  }

  Fetched store(const Novel& novel, const Reader& reader, const Json& known, const std::string& etag) {
    std::size_t said = 0;
    for (const std::string& warning : reader.warnings()) {
      if (++said <= kLoggedWarnings) job_.warn(warning);
    }
    Json more = Json::object();
    if (!etag.empty()) more.set("etag", etag);
    const std::string cover = keepCover(novel, known, more);
    const Shelf::Stored stored = shelf_.storeNovel(novel, reader.version(), more);
    return {stored.id, stored.title, stored.volumes,
            Json{{"novel_id", stored.id},
                 {"title", stored.title},
                 {"volumes", stored.volumes.size()},
                 {"chapters", stored.chapter_count},
                 {"added", stored.added},
                 {"changed", stored.changed},
                 {"removed", stored.removed},
                 {"kept", stored.kept},
                 {"cover", cover}}};
  }

  /// A cover never fails a novel: without one the old is kept, or one is drawn. Answers which it is.
  std::string keepCover(const Novel& novel, const Json& known, Json& more) {
    const std::string file = Files::cover(novelId(url_));
    const bool there = files_.has(file);
    const bool same = there && known["cover_url"].stringOr("") == novel.cover_url;
    const Json& old_etag = known["cover_etag"];
    try {
      if (!novel.cover_url.empty()) {
        Web web(job_, settings_, true);
        if (same) web.ifChanged(novel.cover_url, std::string(old_etag.stringOr("")));
        web.download(novel.cover_url, url_, [&](::jobhost::HttpResponse& response) {
          files_.write(file, toJpeg(response, settings_.image, support::stopCheckOf(job_)).bytes);
        });
        if (const std::string etag = web.etagOf(novel.cover_url); !etag.empty()) more.set("cover_etag", etag);
        return "fetched";
      }
    } catch (const NotModified&) {
      more.set("cover_etag", old_etag);
      return "unchanged";
    } catch (const std::exception& error) {
      job_.warn("the cover could not be fetched: " + std::string(error.what()));
    }
    if (there) return "kept";
    try {
      std::string authors;
      for (const std::string& name : novel.authors) authors += (authors.empty() ? "" : ", ") + name;
      files_.write(file, drawnCover(novel.title, authors));
      return "drawn";
    } catch (const support::Failure& failure) {
      job_.warn("no cover could be drawn: " + std::string(failure.what()));
      return "none";
    }
  }

  Job& job_;
  const Settings& settings_;
  Files files_;
  Shelf shelf_;
  Web web_;
  std::string url_;
};

Fetched fetchNovel(Job& job) {
  const Settings settings = readSettings(job);
  const std::string given = job.params()["url"].str("");
  if (isBlank(given)) throw failed(kNoUrl, "the param url is missing");
  const std::string url = normalUrl(given);
  return step(job, kNovelFailed, [&] {
    NovelJob novel(job, settings, url);
    try {
      Fetched out = novel.run();
      job.note("novel_id", out.id);
      return out;
    } catch (const CrawlError& error) {
      throw failed(kNovelFailed, causeOf(error, novel.refusal()));
    }
  });
}

Json runBatch(Job& job, std::string_view type) {
  const Settings settings = readSettings(job);
  return step(job, kRequestsFailed, [&] {
    const auto sources = loadSources(settings);
    storeSources(job, *sources);
    // All are looked at before the first job is made, so that a wrong one costs nothing.
    std::set<std::string> urls;
    for (const std::string& text : job.params()["urls"].strings()) {
      const auto url = parseUrl(text);
      if (!url) throw failed(kRequestsFailed, "'" + text + "' is no http or https address");
      static_cast<void>(sourceFor(*sources, settings, url->text()));
      urls.insert(url->text());
    }
    Children children(job);
    const Records novels = job.records("novels");
    for (const std::string& url : urls) {
      Json params{{"url", url}};
      if (const std::string id = novelId(url); novels.get(id)) params.set("novel_id", id);
      children.make(type, params, url);
    }
    return Json{{"jobs", children.size()}};
  });
}

}  // namespace

Json runNovel(Job& job) {
  return fetchNovel(job).result;
}

Json runFullNovel(Job& job) {
  const Fetched novel = fetchNovel(job);
  if (novel.volumes.empty()) return novel.result;
  return step(job, kNovelFailed, [&] {
    Children children(job);
    Json ids = Json::array();
    for (const std::string& id : novel.volumes) ids.push(id);
    const std::int64_t volumes = children.make(
        "volume_batch", Json{{"volume_ids", ids}, {"novel_id", novel.id}, {"novel_title", novel.title}}, "volumes");
    // Whatever becomes of the chapters: the book has what there is.
    children.make("artifact", Json{{"novel_id", novel.id}, {"format", "epub"}, {"novel_title", novel.title}}, "epub",
                  {volumes});
    return novel.result;
  });
}

Json runNovelBatch(Job& job) {
  return runBatch(job, "novel");
}

Json runFullNovelBatch(Job& job) {
  return runBatch(job, "full_novel");
}

}  // namespace jobhost::novel
