#include "fetch/cookie_jar.hpp"

#include <curl/curl.h>

#include <memory>

namespace jobhost::fetch {

struct CookieJar::Share {
  CURLSH* handle = curl_share_init();
};

CookieJar::CookieJar() : share_(std::make_unique<Share>()) {
  // No locks: one thread has all handles that use it.
  if (share_->handle != nullptr) curl_share_setopt(share_->handle, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
}

CookieJar::~CookieJar() {
  if (share_->handle != nullptr) curl_share_cleanup(share_->handle);
}

void CookieJar::attach(void* easy) {
  if (share_->handle == nullptr) return;
  curl_easy_setopt(easy, CURLOPT_SHARE, share_->handle);
  curl_easy_setopt(easy, CURLOPT_COOKIEFILE, "");  // turns the engine on, reads nothing
}

void CookieJar::settle(void* easy) {
  curl_slist* all = nullptr;
  if (curl_easy_getinfo(easy, CURLINFO_COOKIELIST, &all) != CURLE_OK || all == nullptr) return;
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> owned(all, &curl_slist_free_all);
  int count = 0;
  for (const auto* one = all; one != nullptr; one = one->next) ++count;
  if (count <= kMostCookies) return;
  curl_easy_setopt(easy, CURLOPT_COOKIELIST, "ALL");
  count = 0;
  for (const auto* one = all; one != nullptr && count < kMostCookies; one = one->next, ++count) {
    curl_easy_setopt(easy, CURLOPT_COOKIELIST, one->data);
  }
}

}  // namespace jobhost::fetch
