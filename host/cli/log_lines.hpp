#pragma once

#include <string>
#include <string_view>

namespace jobhost::cli {

/// Turns a job's log, as it is stored (a JSON object with at, level and text on each line), into lines for people:
/// `23:36:43.436 info  about to begin`. What is no such object is passed on as it is. Control characters of the text
/// become spaces. Pure; bytes come in pieces of any size.
class LogLines {
 public:
  /// The lines these bytes complete.
  std::string feed(std::string_view bytes);
  /// What was left without a line end.
  std::string rest();

 private:
  std::string open_;
};

}  // namespace jobhost::cli
