#include <set>

#include "fetch-novel/body.hpp"
#include "fetch-novel/host_gate.hpp"
#include "fetch-novel/jobs.hpp"
#include "fetch-novel/reader.hpp"
#include "fetch-novel/source_list.hpp"
#include "fetch-novel/steps.hpp"
#include "fetch-novel/url.hpp"
#include "support/html/parse.hpp"

namespace jobhost::novel {
namespace {

constexpr std::size_t kToldProblems = 1000;
constexpr std::size_t kShownText = 400;

Json problemsOf(const SourceList& list) {
  Json out = Json::array();
  for (const SpecProblem& problem : list.set.problems()) {
    if (out.size() == kToldProblems) break;
    out.push(Json{{"file", problem.where.file},
                  {"line", problem.where.line},
                  {"field", problem.where.field},
                  {"reason", problem.reason}});
  }
  return out;
}

// As many characters as fit, none of them cut.
std::string beginning(std::string_view text) {
  std::size_t end = std::min(text.size(), kShownText);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

Json tried(Web& web, Reader& reader, const std::string& novel_url, const Chapter& chapter) {
  Json out{{"serial", chapter.serial}, {"title", chapter.title}, {"url", chapter.url}};
  try {
    const Body body = cleanBody(reader.chapter(novel_url, chapter),
                                {.site = reader.site(), .chapter_url = chapter.url, .text_blocklist = {}});
    const std::string text = support::html::textOf(support::html::parseFragment(body.html).root());
    out.set("bytes", body.html.size());
    out.set("images", body.images.size());
    out.set("text", beginning(text));
  } catch (const CrawlError& error) {
    out.set("error", causeOf(error, web.refusal()));
  }
  return out;
}

/// What a novel's jobs would find at the address: nothing is stored. First, middle and last chapter are read.
Json trial(Job& job, const Settings& settings, const SourceList& list, const std::string& text) {
  const auto url = parseUrl(text);
  if (!url) throw failed(kNoUrl, "'" + text + "' is no http or https address");
  Web web(job, settings);
  try {
    const auto spec = sourceFor(list, settings, url->text());
    Reader reader(settings, web, spec, url->text());
    const Novel novel = reader.novel(url->text());
    Json out{{"url", url->text()},
             {"spec", spec != nullptr ? Json(spec->file) : Json()},
             {"title", novel.title},
             {"cover_url", novel.cover_url},
             {"synopsis", beginning(novel.synopsis)},
             {"language", novel.language},
             {"volumes", novel.volumes.size()},
             {"chapters", novel.chapters.size()}};
    for (const auto& [name, texts] : {std::pair{"authors", &novel.authors}, std::pair{"tags", &novel.tags}}) {
      Json all = Json::array();
      for (const std::string& one : *texts) all.push(one);
      out.set(name, std::move(all));
    }
    Json samples = Json::array();
    const std::size_t last = novel.chapters.size() - 1;
    for (const std::size_t i : std::set<std::size_t>{0, last / 2, last})
      samples.push(tried(web, reader, url->text(), novel.chapters[i]));
    out.set("samples", std::move(samples));
    Json warnings = Json::array();
    for (const std::string& warning : reader.warnings()) warnings.push(warning);
    out.set("warnings", std::move(warnings));
    return out;
  } catch (const CrawlError& error) {
    const std::string cause = causeOf(error, web.refusal());
    job.error(cause);  // who tries a spec at a terminal sees the log and not an error's details
    throw failed(kNovelFailed, cause);
  }
}

}  // namespace

Json runScanSources(Job& job) {
  const std::string url = job.params()["url"].str("");
  const Settings settings = readSettings(job, false);
  const auto list = loadSources(settings);
  std::size_t disabled = 0;
  for (const auto& [host, spec] : list->set.hosts()) disabled += !spec->disabled.empty() || !spec->refused.empty();
  Json out{{"sources", list->set.hosts().size()}, {"disabled", disabled}, {"problems", problemsOf(*list)}};
  if (!url.empty()) {
    for (const SpecProblem& problem : list->set.problems()) job.warn("source spec: " + problem.text());
    out.set("trial", trial(job, settings, *list, url));
    return out;
  }
  out.set("changed", storeSources(job, *list, true));
  const Files files(settings.dir);
  files.sweep();
  sweepGate(files.gate());
  return out;
}

}  // namespace jobhost::novel
