#include "fetch-novel/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <new>
#include <span>

#include "support/common/failure.hpp"

namespace jobhost::novel {
namespace {

constexpr std::uint32_t kMatchSteps = 5'000'000;  // some tenths of a second
constexpr std::uint32_t kHeapKib = 64 << 10;
constexpr std::size_t kPatternBytes = 4096;

using Context = std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)>;
using Match = std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>;

PCRE2_SPTR bytes(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

}  // namespace

struct Regex::Code {
  explicit Code(pcre2_code* compiled) : code(compiled) {}
  ~Code() { pcre2_code_free(code); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  pcre2_code* code;
};

std::shared_ptr<const Regex> Regex::compile(std::string_view pattern, std::string& error) {
  if (pattern.size() > kPatternBytes) {
    error = "the pattern has more than " + std::to_string(kPatternBytes) + " bytes";
    return nullptr;
  }
  int code = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* compiled =
      pcre2_compile(bytes(pattern), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_ALT_BSUX | PCRE2_NEVER_BACKSLASH_C, &code,
                    &offset, nullptr);
  if (compiled == nullptr) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(code, text.data(), text.size());
    error = "the pattern is wrong at character " + std::to_string(offset + 1) + ": " +
            reinterpret_cast<const char*>(text.data());
    return nullptr;
  }
  std::shared_ptr<Regex> out(new Regex);
  out->code_ = std::make_shared<Code>(compiled);
  out->pattern_ = pattern;
  std::uint32_t groups = 0;
  pcre2_pattern_info(compiled, PCRE2_INFO_CAPTURECOUNT, &groups);
  out->groups_ = static_cast<int>(groups);
  return out;
}

// Calls `found` with the offsets of each match until it returns false.
template <class F>
void Regex::eachMatch(std::string_view text, F found) const {
  const Context context(pcre2_match_context_create(nullptr), &pcre2_match_context_free);
  const Match match(pcre2_match_data_create_from_pattern(code_->code, nullptr), &pcre2_match_data_free);
  if (context == nullptr || match == nullptr) throw std::bad_alloc();
  pcre2_set_match_limit(context.get(), kMatchSteps);
  pcre2_set_heap_limit(context.get(), kHeapKib);
  std::uint32_t options = 0;
  for (std::size_t at = 0; at <= text.size();) {
    const int result = pcre2_match(code_->code, bytes(text), text.size(), at, options, match.get(), context.get());
    if (result == PCRE2_ERROR_NOMATCH) {
      if (options == 0) return;
      // No other match begins where the empty one was: one character on.
      options = 0;
      do ++at;
      while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
      continue;
    }
    if (result < 0) {
      throw support::Failure(support::FailureKind::Limit, "regex.limit",
                             "the pattern '" + pattern_ + "' takes too long on this page");
    }
    const std::span<const PCRE2_SIZE> offsets(pcre2_get_ovector_pointer(match.get()),
                                              static_cast<std::size_t>(groups_ + 1) * 2);
    if (!found(offsets)) return;
    options = offsets[0] == offsets[1] ? PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED : 0;
    at = offsets[1];
  }
}

std::optional<std::string> Regex::search(std::string_view text, int group) const {
  if (group < 0) group = groups_ > 0 ? 1 : 0;
  std::optional<std::string> out;
  eachMatch(text, [&](std::span<const PCRE2_SIZE> offsets) {
    const auto at = static_cast<std::size_t>(group) * 2;
    if (at + 1 < offsets.size() && offsets[at] != PCRE2_UNSET && offsets[at] <= offsets[at + 1]) {
      out = std::string(text.substr(offsets[at], offsets[at + 1] - offsets[at]));
    }
    return false;
  });
  return out;
}

std::vector<std::string> Regex::searchAll(std::string_view text, std::size_t max) const {
  std::vector<std::string> out;
  const std::size_t at = groups_ > 0 ? 2 : 0;
  eachMatch(text, [&](std::span<const PCRE2_SIZE> offsets) {
    if (offsets[at] != PCRE2_UNSET && offsets[at] <= offsets[at + 1]) {
      out.emplace_back(text.substr(offsets[at], offsets[at + 1] - offsets[at]));
    }
    return out.size() < max;
  });
  return out;
}

std::string Regex::replaceAll(std::string_view text, std::string_view with) const {
  std::string out;
  std::size_t copied = 0;
  const auto group = [&](std::size_t number, std::span<const PCRE2_SIZE> offsets) {
    if (number * 2 + 1 >= offsets.size() || offsets[number * 2] == PCRE2_UNSET) return;
    out += text.substr(offsets[number * 2], offsets[number * 2 + 1] - offsets[number * 2]);
  };
  eachMatch(text, [&](std::span<const PCRE2_SIZE> offsets) {
    if (offsets[0] < copied || offsets[1] < offsets[0]) return false;
    out += text.substr(copied, offsets[0] - copied);
    copied = offsets[1];
    for (std::size_t i = 0; i < with.size(); ++i) {
      if (with[i] != '\\' || i + 1 == with.size()) {
        out += with[i];
        continue;
      }
      const char c = with[++i];
      if (c >= '0' && c <= '9') {
        group(static_cast<std::size_t>(c - '0'), offsets);
      } else if (c == 'g' && i + 3 < with.size() && with[i + 1] == '<' && with[i + 3] == '>') {
        group(static_cast<std::size_t>(with[i + 2] - '0'), offsets);
        i += 3;
      } else if (c == 'n') {
        out += '\n';
      } else {
        out += c;
      }
    }
    return true;
  });
  return out.append(text.substr(copied));
}

}  // namespace jobhost::novel
