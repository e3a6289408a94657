#include "api/minion/minion_routes.hpp"

#include "api/encoding.hpp"
#include "core/utf8.hpp"

namespace jobhost::api::minion {
namespace {

using enum Operation;

// Pages and their thumbnails are public upstream, so that a reader needs no key to show its shelf.
constexpr MinionRoute kRoutes[] = {
    {JobStatus, Method::Get, "/api/minion/{jobid}", "minion_job_status", Privilege::ReadJobs, true},
    {JobDetail, Method::Get, "/api/minion/{jobid}/detail", "minion_job_detail", Privilege::ReadJobs, false},
    {QueueJob, Method::Post, "/api/minion/{jobname}/queue", "queue_minion_job", Privilege::RunJobs, false, true},
    {Thumbnail, Method::Get, "/api/archives/{id}/thumbnail", "serve_thumbnail", Privilege::ReadJobs, true},
    {TankThumbnail, Method::Get, "/api/tankoubons/{id}/thumbnail", "serve_tankoubon_thumbnail", Privilege::ReadJobs,
     true},
    {PageThumbnails, Method::Post, "/api/archives/{id}/files/thumbnails", "generate_page_thumbnails",
     Privilege::RunJobs, true},
    {RegenThumbnails, Method::Post, "/api/regen_thumbs", "regen_thumbnails", Privilege::RunJobs, false},
    {DownloadUrl, Method::Post, "/api/download_url", "download_url", Privilege::RunJobs, false},
    {QueuePlugin, Method::Post, "/api/plugins/queue", "queue_plugin_exec", Privilege::RunJobs, false},
    {Upload, Method::Post, "/upload", "upload", Privilege::RunJobs, false},
};

/// The part before the next slash; `rest` goes on behind it, and is nullopt at the end.
std::string_view nextSegment(std::optional<std::string_view>& rest) {
  const auto slash = rest->find('/');
  const auto segment = rest->substr(0, slash);
  rest = slash == std::string_view::npos ? std::nullopt : std::optional(rest->substr(slash + 1));
  return segment;
}

std::optional<std::string> captured(std::string_view raw, bool dotted) {
  auto text = percentDecode(raw, false);
  const bool good = text && !text->empty() && text->find('/') == std::string::npos && core::isUtf8(*text) &&
                    (dotted || text->find('.') == std::string::npos);
  return good ? text : std::nullopt;
}

/// Whether the path is the route's; fills `capture`.
bool fits(const MinionRoute& route, std::string_view path, std::string& capture) {
  std::optional<std::string_view> wanted = route.pattern.substr(1);
  std::optional<std::string_view> given = path.substr(1);
  while (wanted && given) {
    const auto segment = nextSegment(wanted);
    const auto raw = nextSegment(given);
    if (segment.starts_with('{')) {
      auto text = captured(raw, route.dotted_capture);
      if (!text) return false;
      capture = *std::move(text);
    } else if (raw != segment && percentDecode(raw, false) != segment) {
      return false;
    }
  }
  return !wanted && !given;
}

}  // namespace

std::span<const MinionRoute> minionRoutes() {
  return kRoutes;
}

std::optional<MinionMatch> matchMinion(Method method, std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  if (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty()) return std::nullopt;
  const auto wanted = method == Method::Head ? Method::Get : method;
  for (const auto& route : kRoutes) {
    MinionMatch match{&route, route.method == wanted, {}};
    if (fits(route, path, match.capture)) return match;
  }
  return std::nullopt;
}

}  // namespace jobhost::api::minion
