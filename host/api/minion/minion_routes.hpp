#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "api/auth/principal.hpp"
#include "api/http_types.hpp"

namespace jobhost::api::minion {

enum class Operation {
  JobStatus,
  JobDetail,
  QueueJob,
  Thumbnail,
  TankThumbnail,
  PageThumbnails,
  RegenThumbnails,
  DownloadUrl,
  QueuePlugin,
  Upload,
};

struct MinionRoute {
  Operation operation;
  Method method;
  std::string_view pattern;     ///< without the configured prefix; at most one {capture}
  std::string_view word;        ///< what upstream calls the operation in its answers
  Privilege privilege;          ///< of whoever must show a key
  bool open;                    ///< needs no key, except in no-fun mode
  bool dotted_capture = false;  ///< a dot may stand in the capture; elsewhere one never matches
};

/// Every route there is.
std::span<const MinionRoute> minionRoutes();

/// A route whose path is the one asked for, whatever the method; HEAD counts as GET.
struct MinionMatch {
  const MinionRoute* route = nullptr;
  bool method_fits = false;
  std::string capture;  ///< decoded: not empty, UTF-8, no slash
};
/// nullopt: no such path. `path` is as sent, without the prefix; one trailing slash is let pass.
std::optional<MinionMatch> matchMinion(Method method, std::string_view path);

}  // namespace jobhost::api::minion
