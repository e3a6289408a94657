#pragma once

#include <chrono>
#include <optional>
#include <ostream>
#include <string>

namespace jobhost::cli {

/// What is shown of a job while it runs.
struct JobView {
  std::string state = "queued";
  double fraction = -1;  ///< 0..1; below 0: not known
  std::string message;
  std::string attempt;  ///< empty: not said
  bool operator==(const JobView&) const = default;
};

/// One line of at most `width` columns: `running [#####.....]  48 %  0:12  page 7 of 20`. Control characters of the
/// message become spaces; an unknown fraction is a block that moves with the time.
std::string barLine(const JobView& view, std::chrono::milliseconds elapsed, int width);

/// Draws views on a terminal, over one line; elsewhere one plain line for each change worth reading (state, tenth of
/// progress, message).
class ProgressBar {
 public:
  /// Borrowed until destroyed. `width` 0: not a terminal.
  ProgressBar(std::ostream& out, int width);
  void show(const JobView& view);
  void end();

 private:
  std::ostream& out_;
  const int width_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::optional<JobView> last_;
};

/// Columns of the terminal stderr is; 0 when it is none.
int terminalWidth();

}  // namespace jobhost::cli
