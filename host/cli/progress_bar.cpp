#include "cli/progress_bar.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/text.hpp"

namespace jobhost::cli {
namespace {

constexpr int kMinBar = 10;
constexpr int kMaxBar = 40;

std::string clock(std::chrono::milliseconds elapsed) {
  const auto seconds = elapsed.count() / 1000;
  char text[32];
  if (seconds >= 3600) {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", static_cast<long long>(seconds / 3600),
                  static_cast<long long>(seconds / 60 % 60), static_cast<long long>(seconds % 60));
  } else {
    std::snprintf(text, sizeof text, "%lld:%02lld", static_cast<long long>(seconds / 60),
                  static_cast<long long>(seconds % 60));
  }
  return text;
}

/// At most `columns` characters, cut between UTF-8 sequences.
std::string cut(const std::string& text, int columns) {
  int seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80 && ++seen > columns) return text.substr(0, i);
  }
  return text;
}

std::string bar(double fraction, std::chrono::milliseconds elapsed, int cells) {
  std::string out(static_cast<std::size_t>(cells), '.');
  if (fraction >= 0) {
    const auto full = static_cast<std::size_t>(std::lround(std::min(fraction, 1.0) * cells));
    std::fill_n(out.begin(), full, '#');
  } else {
    const auto at = static_cast<std::size_t>(elapsed.count() / 200 % cells);
    for (std::size_t i = 0; i < 3; ++i) out[(at + i) % out.size()] = '#';
  }
  return out;
}

std::string percent(double fraction) {
  if (!(fraction >= 0)) return "  - %";
  char text[16];
  std::snprintf(text, sizeof text, "%3d %%", static_cast<int>(std::floor(std::min(fraction, 1.0) * 100)));
  return text;
}

}  // namespace

std::string barLine(const JobView& view, std::chrono::milliseconds elapsed, int width) {
  const double fraction = std::isfinite(view.fraction) ? view.fraction : -1;
  const int cells = std::clamp(width / 3, kMinBar, kMaxBar);
  std::string line = view.state;
  line.resize(std::max<std::size_t>(line.size(), 9), ' ');
  line += " [" + bar(fraction, elapsed, cells) + "] " + percent(fraction) + "  " + clock(elapsed);
  if (!view.message.empty()) line += "  " + core::printable(view.message);
  return cut(line, width);
}

ProgressBar::ProgressBar(std::ostream& out, int width) : out_(out), width_(width) {}

void ProgressBar::show(const JobView& view) {
  if (width_ > 0) {
    const auto elapsed =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start_);
    out_ << '\r' << barLine(view, elapsed, width_ - 1) << "\033[K" << std::flush;
  } else {
    const auto tenth = [](double fraction) { return static_cast<int>(std::floor(fraction * 10)); };
    const bool news = !last_ || last_->state != view.state || tenth(last_->fraction) != tenth(view.fraction) ||
                      last_->message != view.message;
    if (news) {
      out_ << view.state;
      if (view.fraction >= 0) out_ << ' ' << percent(view.fraction);
      if (!view.message.empty()) out_ << ' ' << core::printable(view.message);
      out_ << std::endl;
    }
  }
  last_ = view;
}

void ProgressBar::end() {
  if (width_ > 0 && last_) out_ << '\n' << std::flush;
}

int terminalWidth() {
  winsize size{};
  if (::isatty(STDERR_FILENO) == 0 || ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace jobhost::cli
