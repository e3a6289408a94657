#include "fetch-novel/robots.hpp"

#include <charconv>

#include "fetch-novel/utf8.hpp"

namespace jobhost::novel {
namespace {

constexpr std::size_t kBytes = 512 << 10;
constexpr std::size_t kRules = 10'000;
constexpr double kMaxDelaySeconds = 600;

bool isHex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
char upper(char c) {
  return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
}

// Escapes in upper case, and what is no ASCII escaped, so that both sides of a comparison are spelled alike.
std::string spelled(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && isHex(text[i + 1]) && isHex(text[i + 2])) {
      const char byte[] = {'%', upper(text[i + 1]), upper(text[i + 2])};
      int code = 0;
      std::from_chars(byte + 1, byte + 3, code, 16);
      const char c = static_cast<char>(code);
      const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                              c == '_' || c == '~' || c == '.';
      if (unreserved) {
        out += c;
      } else {
        out.append(byte, 3);
      }
      i += 2;
    } else if (static_cast<unsigned char>(text[i]) >= 0x80 || text[i] == ' ') {
      out += percentEncoded(text.substr(i, 1));
    } else {
      out += text[i];
    }
  }
  return out;
}

// A prefix match with '*' for anything; linear in both but for one going back to the last star.
bool matches(std::string_view pattern, std::string_view target) {
  const bool anchored = pattern.ends_with('$');
  if (anchored) pattern.remove_suffix(1);
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, resume = 0;
  for (;;) {
    if (p == pattern.size() && (!anchored || t == target.size())) return true;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && t < target.size() && pattern[p] == target[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos && resume < target.size()) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
}

// "Googlebot-News/1.0" names the product "googlebot-news".
std::string product(std::string_view agent) {
  std::size_t end = 0;
  while (end < agent.size() &&
         ((agent[end] | 0x20) >= 'a' && (agent[end] | 0x20) <= 'z' ? true : agent[end] == '_' || agent[end] == '-'))
    ++end;
  return asciiLower(agent.substr(0, end));
}

std::optional<std::chrono::milliseconds> delayOf(std::string_view value) {
  double seconds = -1;
  const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (problem != std::errc{} || !(seconds >= 0)) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::min(seconds, kMaxDelaySeconds) * 1000));
}

}  // namespace

Robots Robots::parse(std::string_view text, std::string_view own_product) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  text = text.substr(0, kBytes);
  const std::string own = asciiLower(own_product);
  Robots ours, everyones;
  bool found_ours = false;
  // A group is one or more user-agent lines and the rules after them; groups of the same agent count together.
  bool in_agents = false, for_us = false, for_all = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of("\r\n", at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    line = line.substr(0, line.find('#'));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string key = asciiLower(trimmed(line.substr(0, colon)));
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (key == "user-agent") {
      if (!in_agents) for_us = for_all = false;
      in_agents = true;
      if (value.starts_with('*')) {
        for_all = true;
      } else if (product(value) == own) {
        for_us = found_ours = true;
      }
      continue;
    }
    const bool rule = key == "allow" || key == "disallow";
    if (!rule && key != "crawl-delay") continue;  // sitemap and the like end no group
    in_agents = false;
    for (Robots* into : {for_us ? &ours : nullptr, for_all ? &everyones : nullptr}) {
      if (into == nullptr) continue;
      if (!rule) {
        if (!into->delay_) into->delay_ = delayOf(value);
      } else if (!value.empty() && into->rules_.size() < kRules) {
        into->rules_.push_back({key == "allow", spelled(value)});
      }
    }
  }
  return found_ours ? ours : everyones;
}

Robots Robots::forStatus(int status, std::string_view body, std::string_view own_product) {
  if (status >= 200 && status < 300) return parse(body, own_product);
  Robots out;
  out.forbid_all_ = status < 300 || status >= 500;
  return out;
}

bool Robots::allows(std::string_view target) const {
  if (forbid_all_) return target == "/robots.txt";
  const std::string path = spelled(target);
  if (path == "/robots.txt") return true;
  const Rule* best = nullptr;
  for (const Rule& rule : rules_) {
    if (!matches(rule.pattern, path)) continue;
    const bool better = best == nullptr || rule.pattern.size() > best->pattern.size() ||
                        (rule.pattern.size() == best->pattern.size() && rule.allow);
    if (better) best = &rule;
  }
  return best == nullptr || best->allow;
}

}  // namespace jobhost::novel
