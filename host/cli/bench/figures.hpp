#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace jobhost::cli::bench {

/// One measured number beside the one to reach.
struct Figure {
  std::string name;
  std::string unit;
  double target = 0;
  bool at_least = true;  ///< false: the target is the most it may be
  double measured = 0;
  std::string note;      ///< how it was measured, or why it could not be
  bool missing = false;  ///< not measured; `note` says why

  [[nodiscard]] bool reached() const { return !missing && (at_least ? measured >= target : measured <= target); }
  /// How far it is: 1 and up is reached, whichever way the target points; 0 when it was not measured.
  [[nodiscard]] double ratio() const;
};

void printFigures(std::ostream& out, const std::vector<Figure>& figures);
std::string figuresJson(const std::vector<Figure>& figures);

}  // namespace jobhost::cli::bench
