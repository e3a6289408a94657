#include "api/lncrawl/formats.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr Format kFormats[] = {
    {"azw3", 1}, {"docx", 1}, {"epub", 0}, {"fb2", 1}, {"json", 0}, {"lit", 1}, {"lrf", 2},
    {"mobi", 1}, {"pdb", 1},  {"pdf", 2},  {"rb", 2},  {"rtf", 2},  {"tcr", 1}, {"txt", 1},
};

}  // namespace

std::span<const Format> formats() {
  return kFormats;
}

const Format* findFormat(std::string_view name) {
  for (const auto& format : kFormats) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

std::vector<std::string> formatsOf(int tier) {
  std::vector<std::string> names;
  for (const auto& format : kFormats) {
    if (format.tier <= tier) names.emplace_back(format.name);
  }
  return names;
}

}  // namespace jobhost::api::lncrawl
