#include "api/lncrawl/parts.hpp"

// What the web client asks for and this host does not keep: collections of novels that users make ("libraries"),
// reports to the operators, and which mails a user wants. Lists are empty, what is named is not there, and what would
// have to be kept is refused, so that nobody takes it for done.
namespace jobhost::api::lncrawl {
namespace {

/// An empty page, of a query that is right.
Response emptyPage(const Call& call, std::string_view search) {
  QueryFields query(call.request);
  const auto span = query.span();
  query.filter(search);
  if (!query.faults().empty()) return invalid(query.faults());
  return answerList(0, span, [](JsonWriter&) {});
}

void addEmptyPage(RouteTable& routes, std::string pattern, Privilege privilege, std::string_view search) {
  routes.add(Method::Get, std::move(pattern), privilege, [search](Call& call) { return emptyPage(call, search); });
}

/// Of this kind there are none, whatever the id.
void addNone(RouteTable& routes, Method method, std::string pattern, std::string_view what) {
  routes.add(
      method, std::move(pattern), Privilege::Known, [what](Call&) { return noSuch(what); }, false, Body::Small);
}

void addRefusal(RouteTable& routes, Method method, std::string pattern, std::string_view error,
                std::string_view detail) {
  routes.add(
      method, std::move(pattern), Privilege::Known, [error, detail](Call&) { return failure(403, error, detail); },
      false, Body::Small);
}

}  // namespace

void addAbsentRoutes(RouteTable& routes) {
  addEmptyPage(routes, "/api/library/my", Privilege::Known, "query");
  addEmptyPage(routes, "/api/library/public", Privilege::Known, "query");
  addEmptyPage(routes, "/api/library/all", Privilege::Admin, "query");
  routes.add(Method::Get, "/api/library/my/list", Privilege::Known, [](Call&) { return answer("[]"); });
  addRefusal(routes, Method::Post, "/api/library", "Libraries are not kept here", "Every novel is in /api/novels");
  addNone(routes, Method::Get, "/api/library/{id}", "library");
  addNone(routes, Method::Patch, "/api/library/{id}", "library");
  addNone(routes, Method::Delete, "/api/library/{id}", "library");
  addNone(routes, Method::Get, "/api/library/{id}/novels", "library");
  addNone(routes, Method::Put, "/api/library/{id}/novel/{novel_id}", "library");
  addNone(routes, Method::Delete, "/api/library/{id}/novels/{novel_id}", "library");

  addEmptyPage(routes, "/api/feedbacks", Privilege::Known, "search");
  addRefusal(routes, Method::Post, "/api/feedback", "Reports are not kept here", "Tell those who run this host");
  addNone(routes, Method::Get, "/api/feedback/{id}", "feedback");

  addRefusal(routes, Method::Put, "/api/settings/notifications", "No mail is sent from here",
             "Nothing was changed: email_alerts would have no effect");
}

}  // namespace jobhost::api::lncrawl
