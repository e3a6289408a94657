#include "cli/bench/figures.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>

#include "cli/context.hpp"
#include "cli/json.hpp"

namespace jobhost::cli::bench {
namespace {

std::string number(double value) {
  char text[32];
  const double size = std::fabs(value);
  std::snprintf(text, sizeof text, size >= 1000 ? "%.0f" : size >= 10 ? "%.1f" : "%.3g", value);
  return text;
}

}  // namespace

double Figure::ratio() const {
  if (missing) return 0;
  constexpr double kLeast = 1e-6;  // an idle host may use nothing measurable
  return at_least ? measured / std::max(target, kLeast) : target / std::max(measured, kLeast);
}

void printFigures(std::ostream& out, const std::vector<Figure>& figures) {
  std::vector<std::vector<std::string>> rows{{"WHAT", "TARGET", "MEASURED", "UNIT", "RATIO", "", "NOTE"}};
  for (const auto& figure : figures) {
    const double shown = std::min(figure.ratio(), 999.0);
    rows.push_back({figure.name, (figure.at_least ? ">= " : "<= ") + number(figure.target),
                    figure.missing ? "-" : number(figure.measured), figure.unit, figure.missing ? "-" : number(shown),
                    figure.missing     ? "?"
                    : figure.reached() ? "ok"
                                       : "MISSED",
                    figure.note});
  }
  printTable(out, rows);
}

std::string figuresJson(const std::vector<Figure>& figures) {
  std::string out = "{\"figures\":[";
  for (const auto& figure : figures) {
    if (out.back() != '[') out += ',';
    char numbers[128];
    std::snprintf(numbers, sizeof numbers, ",\"target\":%.6g,\"ratio\":%.6g,\"measured\":", figure.target,
                  figure.ratio());
    char measured[32];
    std::snprintf(measured, sizeof measured, "%.6g", figure.measured);
    out += "{\"name\":" + jsonString(figure.name) + ",\"unit\":" + jsonString(figure.unit) + numbers +
           (figure.missing ? "null" : measured) + ",\"at_least\":" + (figure.at_least ? "true" : "false") +
           ",\"reached\":" + (figure.reached() ? "true" : "false") + ",\"note\":" + jsonString(figure.note) + "}";
  }
  return out + "]}";
}

}  // namespace jobhost::cli::bench
