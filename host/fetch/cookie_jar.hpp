#pragma once

#include <memory>

namespace jobhost::fetch {

/// The cookies of one job, kept in memory and sent back as RFC 6265 says: by domain, path and scheme, never to a public
/// suffix. At most kMostCookies; what comes beyond is dropped.
///
/// Threads: made and destroyed anywhere; used by one Client's thread alone. Shared by the fetches of a job.
class CookieJar {
 public:
  static constexpr int kMostCookies = 200;

  CookieJar();
  ~CookieJar();
  CookieJar(const CookieJar&) = delete;
  CookieJar& operator=(const CookieJar&) = delete;

  /// For Transfer: the CURL handle `easy` uses this jar from now on.
  void attach(void* easy);
  /// For Transfer, when the handle is done: keeps the jar small.
  void settle(void* easy);

 private:
  struct Share;
  std::unique_ptr<Share> share_;
};

}  // namespace jobhost::fetch
