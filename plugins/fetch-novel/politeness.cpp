#include "fetch-novel/politeness.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <vector>

#include "fetch-novel/utf8.hpp"

namespace jobhost::novel {
namespace {

std::optional<int> number(std::string_view text) {
  int out = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

std::optional<unsigned> month(std::string_view name) {
  static constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto found = std::find(kMonths.begin(), kMonths.end(), name);
  if (found == kMonths.end()) return std::nullopt;
  return static_cast<unsigned>(found - kMonths.begin()) + 1;
}

// "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994".
std::optional<std::chrono::system_clock::time_point> httpDate(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    at = text.find_first_not_of(" ,-:", at);
    if (at == std::string_view::npos) break;
    const std::size_t end = std::min(text.find_first_of(" ,-:", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  if (words.size() < 7) return std::nullopt;
  const bool asctime = month(words[1]).has_value();  // weekday month day h m s year
  const auto day = number(words[asctime ? 2 : 1]);
  const auto mon = month(words[asctime ? 1 : 2]);
  auto year = number(words[asctime ? 6 : 3]);
  const std::size_t time = asctime ? 3 : 4;
  const auto hours = number(words[time]), minutes = number(words[time + 1]), seconds = number(words[time + 2]);
  if (!day || !mon || !year || !hours || !minutes || !seconds) return std::nullopt;
  if (*hours > 23 || *minutes > 59 || *seconds > 60 || *hours < 0 || *minutes < 0 || *seconds < 0 || *day < 1)
    return std::nullopt;
  if (*year < 70) year = *year + 2000;
  if (*year < 100) year = *year + 1900;
  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{*mon},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *year > 9999) return std::nullopt;
  return std::chrono::sys_days{date} + std::chrono::hours{*hours} + std::chrono::minutes{*minutes} +
         std::chrono::seconds{*seconds};
}

}  // namespace

std::optional<std::chrono::milliseconds> parseRetryAfter(std::string_view value,
                                                         std::chrono::system_clock::time_point now) {
  value = trimmed(value);
  if (!value.empty() && std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    std::int64_t seconds = 0;
    const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (problem != std::errc{} || seconds > 366 * 86'400) seconds = 366 * 86'400;
    return std::chrono::seconds{seconds};
  }
  const auto date = httpDate(value);
  if (!date) return std::nullopt;
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(*date - now), std::chrono::milliseconds{0});
}

Politeness::Host& Politeness::host(std::string_view name, Time now) {
  if (hosts_.size() >= options_.hosts) {
    std::erase_if(hosts_, [&](const auto& entry) { return entry.second.under_way == 0 && entry.second.next <= now; });
  }
  auto [found, fresh] = hosts_.try_emplace(std::string(name));
  if (fresh) found->second.gap = options_.gap;
  return found->second;
}

void Politeness::setGap(std::string_view name, Span gap) {
  Host& entry = hosts_.try_emplace(std::string(name)).first->second;
  // The longest wins: the spec's, the Crawl-delay, the configured one.
  entry.gap = std::max({entry.gap, options_.gap, std::min(gap, options_.max_gap)});
}

Politeness::Span Politeness::gap(std::string_view name) const {
  const auto found = hosts_.find(std::string(name));
  return found == hosts_.end() ? options_.gap : found->second.gap;
}

std::optional<Politeness::Span> Politeness::wait(std::string_view name, Time now) const {
  const auto found = hosts_.find(std::string(name));
  if (found == hosts_.end()) return Span{0};
  if (found->second.under_way >= options_.at_once) return std::nullopt;
  return std::max(std::chrono::ceil<Span>(found->second.next - now), Span{0});
}

Politeness::Rest Politeness::rest(std::string_view name) const {
  const auto found = hosts_.find(std::string(name));
  return found == hosts_.end() ? Rest{} : Rest{found->second.next, found->second.refusals};
}

void Politeness::setRest(std::string_view name, Rest rest, Time now) {
  Host& entry = host(name, now);
  entry.next = rest.next;
  entry.refusals = std::clamp(rest.refusals, 0, 16);
}

void Politeness::started(std::string_view name, Time now) {
  Host& entry = host(name, now);
  ++entry.under_way;
  entry.next = std::max(entry.next, now + entry.gap);
}

void Politeness::finished(std::string_view name, int status, std::string_view retry_after, Time now) {
  Host& entry = host(name, now);
  if (entry.under_way > 0) --entry.under_way;
  if (status != 429 && status != 503 && status != 0) {
    entry.refusals = 0;
    return;
  }
  entry.refusals = std::min(entry.refusals + 1, 16);
  Span pause = std::min<Span>(options_.back_off * (1 << (entry.refusals - 1)), options_.max_wait);
  if (const auto asked = parseRetryAfter(retry_after, now); asked && status != 0)
    pause = std::clamp(*asked, entry.gap, std::max(entry.gap, kLongestPause));
  entry.next = std::max(entry.next, now + pause);
}

}  // namespace jobhost::novel
