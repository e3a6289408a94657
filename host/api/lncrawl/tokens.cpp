#include "api/lncrawl/tokens.hpp"

#include <algorithm>
#include <limits>

#include "api/auth/secrets.hpp"
#include "api/encoding.hpp"
#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/lncrawl/keyed_hash.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr std::size_t kMaxToken = 1024;
constexpr std::string_view kHead = R"({"alg":"HS256","typ":"JWT"})";

std::string base64Url(std::string_view bytes) {
  auto text = toBase64(bytes);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::optional<std::string> fromBase64Url(std::string_view text) {
  if (text.find_first_of("+/=") != std::string_view::npos) return std::nullopt;
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '-', '+');
  std::replace(plain.begin(), plain.end(), '_', '/');
  while (plain.size() % 4 != 0) plain += '=';
  return fromBase64(plain);
}

std::int64_t seconds(core::Instant at) {
  return core::toMicros(at) / 1'000'000;
}

}  // namespace

std::string_view roleWord(const store::User& user) {
  return user.role == "admin" ? "admin" : "user";
}

int tierOf(const store::User& user) {
  return std::clamp(user.tier, 0, 2);
}

Tokens::Tokens(std::string_view key, core::Millis lifetime) : key_(keyedHash(key, "tokens")), lifetime_(lifetime) {}

std::string Tokens::versionOf(const store::User& user) const {
  return toHex(keyedHash(key_, user.id + '\n' + user.role + '\n' + user.password).substr(0, 16));
}

std::string Tokens::issue(const store::User& user, core::Instant now) const {
  JsonWriter json;
  json.beginObject().key("sub").string(user.id).key("scopes").beginArray().string(roleWord(user));
  json.number(std::int64_t{tierOf(user)}).endArray().key("exp").number(seconds(now + lifetime_));
  json.key("ver").string(versionOf(user)).endObject();
  const auto text = base64Url(kHead) + '.' + base64Url(json.take());
  return text + '.' + base64Url(keyedHash(key_, text));
}

std::optional<Tokens::Claims> Tokens::read(std::string_view token, core::Instant now) const {
  if (token.size() > kMaxToken) return std::nullopt;
  const auto dot = token.find('.');
  const auto last = token.rfind('.');
  if (dot == std::string_view::npos || last == dot) return std::nullopt;
  // Only what issue() writes: with one head there is no choice of algorithm to get wrong.
  if (token.substr(0, dot) != base64Url(kHead)) return std::nullopt;
  const auto signature = fromBase64Url(token.substr(last + 1));
  if (!signature || !sameSecret(*signature, keyedHash(key_, token.substr(0, last)))) return std::nullopt;
  const auto payload = fromBase64Url(token.substr(dot + 1, last - dot - 1));
  if (!payload) return std::nullopt;
  const auto document = parseJson(*payload);
  if (!document) return std::nullopt;
  std::vector<core::FieldError> errors;
  JsonObject claims(*document, "", errors);
  auto user = claims.string("sub");
  auto version = claims.string("ver");
  const auto end = claims.integer("exp", 0, std::numeric_limits<std::int64_t>::max());
  if (!errors.empty() || !user || !version || !end || *end <= seconds(now)) return std::nullopt;
  return Claims{*std::move(user), *std::move(version)};
}

}  // namespace jobhost::api::lncrawl
