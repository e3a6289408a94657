#include <memory>

#include "api/lncrawl/formats.hpp"
#include "api/lncrawl/library.hpp"
#include "api/lncrawl/parts.hpp"

namespace jobhost::api::lncrawl {
namespace {

using Shared = std::shared_ptr<Library>;

/// A row whose handler needs the one id in its path.
void addOf(RouteTable& routes, const Shared& library, std::string pattern,
           Response (Library::*show)(const std::string&) const) {
  routes.add(Method::Get, std::move(pattern), Privilege::Known,
             [library, show](Call& call) { return ((*library).*show)(call.captures[0]); });
}

/// The same of a list that pages by its query.
void addListOf(RouteTable& routes, const Shared& library, std::string pattern,
               Response (Library::*show)(const Request&, const std::string&) const) {
  routes.add(Method::Get, std::move(pattern), Privilege::Known,
             [library, show](Call& call) { return ((*library).*show)(call.request, call.captures[0]); });
}

void addList(RouteTable& routes, const Shared& library, std::string pattern,
             Response (Library::*show)(const Request&) const) {
  routes.add(Method::Get, std::move(pattern), Privilege::Known,
             [library, show](Call& call) { return ((*library).*show)(call.request); });
}

Response enabledFormats(const Parts& parts, const Call& call) {
  const auto user = parts.credentials.userOf(*call.principal);
  if (!user) return unauthorized();
  JsonWriter json;
  json.beginArray();
  for (const auto& format : formatsOf(tierOf(*user))) json.string(format);
  return answer(json.endArray().take());
}

Response showUser(const Parts& parts, const Call& call) {
  const auto user = parts.deps.accounts.find(call.captures[0]);
  if (!user) return noSuch("user");
  JsonWriter json;
  writeUser(json, *user);
  return answer(json.take());
}

/// The client's page of settings wants one section at least. What is configured here stands in the host's own files.
Response adminConfigs() {
  JsonWriter json;
  json.beginArray().beginObject().key("key").string("jobhost").key("display_name").string("jobhost");
  json.key("description").string("The host is configured by its own file and environment; nothing is set here.");
  json.key("properties").beginArray().endArray().endObject().endArray();
  return answer(json.take());
}

}  // namespace

void addReadRoutes(RouteTable& routes, const Parts& parts) {
  // What never changes with the library.
  routes.add(Method::Get, "/api/artifact/enabled-formats", Privilege::Known,
             [parts](Call& call) { return enabledFormats(parts, call); });
  routes.add(Method::Get, "/api/user/{id}", Privilege::Admin, [parts](Call& call) { return showUser(parts, call); });
  routes.add(Method::Get, "/api/admin/configs", Privilege::Admin, [](Call&) { return adminConfigs(); });
  // Open: the page a user logs in on asks for them too, and takes a 401 for the end of a session.
  routes.add(Method::Get, "/api/announcement/active", Privilege::None, [](Call&) { return answer("[]"); });
  // Icons of other sites are theirs to hand out; the client does without.
  routes.add(Method::Get, "/api/meta/favicon", Privilege::None, [](Call&) { return noSuch("file"); });
  if (parts.deps.records == nullptr) return;

  const auto library = std::make_shared<Library>(parts, *parts.deps.records);
  addList(routes, library, "/api/novels", &Library::novels);
  routes.add(Method::Get, "/api/novel/sources", Privilege::Known,  // before the novels': "sources" is no novel's id
             [library](Call&) { return library->sources(); });
  addOf(routes, library, "/api/novel/{id}", &Library::novel);
  routes.add(Method::Delete, "/api/novel/{id}", Privilege::Admin,
             [library](Call& call) { return library->removeNovel(call.captures[0]); });
  addOf(routes, library, "/api/novel/{id}/volumes", &Library::novelVolumes);
  addListOf(routes, library, "/api/novel/{id}/chapters", &Library::novelChapters);
  addOf(routes, library, "/api/novel/{id}/artifacts", &Library::novelArtifacts);
  addOf(routes, library, "/api/volume/{id}", &Library::volume);
  addListOf(routes, library, "/api/volume/{id}/chapters", &Library::volumeChapters);
  addOf(routes, library, "/api/chapter/{id}", &Library::chapter);
  addListOf(routes, library, "/api/chapter/{id}/images", &Library::chapterImages);
  routes.add(Method::Get, "/api/chapter/{id}/read", Privilege::Known,
             [library](Call& call) { return library->readChapter(*call.principal, call.captures[0]); });
  addList(routes, library, "/api/artifacts", &Library::artifacts);
  addOf(routes, library, "/api/artifact/{id}", &Library::artifact);
  routes.add(Method::Get, "/api/read-history/by-novel", Privilege::Known,
             [library](Call& call) { return library->readHistory(*call.principal, call.request); });
  addList(routes, library, "/api/meta/supported-sources", &Library::supportedSources);
  routes.add(Method::Get, "/static/{path...}", Privilege::None,
             [library](Call& call) { return library->file(call.request, call.captures[0]); });
}

}  // namespace jobhost::api::lncrawl
