#include <memory>

#include "api/lncrawl/parts.hpp"
#include "api/lncrawl/reports.hpp"
#include "api/lncrawl/user_libraries.hpp"

namespace jobhost::api::lncrawl {
namespace {

void addLibraries(RouteTable& routes, const Parts& parts, store::RecordStore& store) {
  const auto of = std::make_shared<UserLibraries>(parts, store);
  using Whose = UserLibraries::Whose;
  // The words first: none of them is a library's id.
  routes.add(Method::Get, "/api/library/my", Privilege::Known,
             [of](Call& call) { return of->list(call, Whose::Callers); });
  routes.add(Method::Get, "/api/library/public", Privilege::Known,
             [of](Call& call) { return of->list(call, Whose::Everybodys); });
  routes.add(Method::Get, "/api/library/all", Privilege::Admin,
             [of](Call& call) { return of->list(call, Whose::All); });
  routes.add(Method::Get, "/api/library/my/list", Privilege::Known, [of](Call& call) { return of->names(call); });
  const auto add = [&](Method method, std::string pattern, Response (UserLibraries::*handle)(const Call&)) {
    routes.add(method, std::move(pattern), Privilege::RunJobs,  // who may only look makes nothing
               [of, handle](Call& call) { return ((*of).*handle)(call); });
  };
  add(Method::Post, "/api/library", &UserLibraries::create);
  routes.add(Method::Get, "/api/library/{id}", Privilege::Known, [of](Call& call) { return of->show(call); });
  add(Method::Patch, "/api/library/{id}", &UserLibraries::change);
  add(Method::Delete, "/api/library/{id}", &UserLibraries::remove);
  routes.add(Method::Get, "/api/library/{id}/novels", Privilege::Known, [of](Call& call) { return of->novels(call); });
  add(Method::Put, "/api/library/{id}/novel/{novel_id}", &UserLibraries::addNovel);
  add(Method::Delete, "/api/library/{id}/novels/{novel_id}", &UserLibraries::takeNovel);
}

void addReports(RouteTable& routes, const Parts& parts, store::RecordStore& store) {
  const auto reports = std::make_shared<Reports>(parts, store);
  const auto add = [&](Method method, std::string pattern, Privilege privilege,
                       Response (Reports::*handle)(const Call&)) {
    routes.add(method, std::move(pattern), privilege,
               [reports, handle](Call& call) { return ((*reports).*handle)(call); });
  };
  routes.add(Method::Get, "/api/feedbacks", Privilege::Known, [reports](Call& call) { return reports->list(call); });
  add(Method::Post, "/api/feedback", Privilege::RunJobs, &Reports::create);
  routes.add(Method::Get, "/api/feedback/{id}", Privilege::Known,
             [reports](Call& call) { return reports->show(call); });
  add(Method::Put, "/api/feedback/{id}", Privilege::RunJobs, &Reports::change);
  add(Method::Post, "/api/feedback/{id}/respond", Privilege::Admin, &Reports::respond);
  add(Method::Delete, "/api/feedback/{id}", Privilege::RunJobs, &Reports::remove);
}

}  // namespace

void addUserRoutes(RouteTable& routes, const Parts& parts) {
  // Which mails a user wants: none is sent from here, so nothing is stored, lest anybody wait for one.
  routes.add(
      Method::Put, "/api/settings/notifications", Privilege::Known,
      [](Call&) {
        return failure(403, "No mail is sent from here", "Nothing was changed: email_alerts would have no effect");
      },
      false, Body::Small);
  if (parts.deps.records == nullptr) return;
  addLibraries(routes, parts, *parts.deps.records);
  addReports(routes, parts, *parts.deps.records);
}

}  // namespace jobhost::api::lncrawl
