// The OpenAPI document, and a page that shows it. The page is ours; the program on it is Swagger UI, whose files lie in
// a folder beside the host (docs/dependencies.md) and come from nowhere else.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "api/native/native_dialect.hpp"

namespace jobhost::api::native {
namespace {

/// Nothing but our own origin; Swagger UI sets styles from its script, and shows some pictures as data.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

constexpr std::string_view kPage = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>jobhost API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<noscript><p>This page needs JavaScript. The document it shows is <a href="openapi.json">openapi.json</a>.</p></noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
)";

constexpr std::string_view kStart = R"(SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  validatorUrl: null
});
)";

constexpr std::string_view kPlainPage = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>jobhost API</title>
</head>
<body>
<h1>jobhost API</h1>
<p>Every route is described in <a href="openapi.json">openapi.json</a> (OpenAPI 3.1), which any viewer of such documents
shows. This host was built without the viewer it can bring along: <code>./dev build</code> fetches it where npm is
installed.</p>
</body>
</html>
)";

struct Asset {
  std::string_view name;
  std::string_view type;
};
constexpr Asset kAssets[] = {{"swagger-ui-bundle.js", "text/javascript; charset=utf-8"},
                             {"swagger-ui.css", "text/css; charset=utf-8"}};

Response dressed(Response response) {
  response.with("Content-Security-Policy", kPolicy).with("X-Content-Type-Options", "nosniff");
  response.with("Referrer-Policy", "no-referrer").with("Cache-Control", "no-cache");
  return response;
}

/// The file, open for sending; fd -1: it is not there.
FileBody openAsset(const Parts& parts, std::string_view name) {
  if (parts.options.reference_folder.empty()) return {};
  const int fd =
      ::open((parts.options.reference_folder / name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  FileBody file(fd, 0, 0);
  struct stat info {};
  if (fd < 0 || ::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return {};
  file.length = static_cast<std::int64_t>(info.st_size);
  return file;
}

Response showPage(const Parts& parts) {
  const bool whole = std::all_of(std::begin(kAssets), std::end(kAssets),
                                 [&](const Asset& asset) { return openAsset(parts, asset.name).fd >= 0; });
  return dressed({200, "text/html; charset=utf-8", std::string(whole ? kPage : kPlainPage)});
}

Response showAsset(const Parts& parts, const Call& call) {
  const auto& name = call.captures[0];
  if (name == "start.js") return dressed({200, kAssets[0].type, std::string(kStart)});
  const auto asset =
      std::find_if(std::begin(kAssets), std::end(kAssets), [&](const Asset& one) { return one.name == name; });
  FileBody file;
  if (asset != std::end(kAssets)) file = openAsset(parts, asset->name);
  if (file.fd < 0) return problem({core::ErrorCode::NotFound, "there is no such file of the reference page", "", {}});
  Response response(200, asset->type, "");
  response.file = std::move(file);
  return dressed(std::move(response));
}

}  // namespace

void addReferenceRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(Method::Get, "/api/v1/openapi.json", Privilege::None,
             [parts](Call&) { return Response(200, kJson, parts.openapi); });
  routes.add(Method::Get, "/api/v1/docs", Privilege::None, [parts](Call&) { return showPage(parts); });
  routes.add(Method::Get, "/api/v1/docs/{name}", Privilege::None,
             [parts](Call& call) { return showAsset(parts, call); });
}

}  // namespace jobhost::api::native
