#include "api/lncrawl/job_types.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr JobKind kKinds[] = {
    {0, "novel"},    {1, "novel_batch"},    {5, "full_novel"}, {6, "full_novel_batch"},
    {10, "chapter"}, {11, "chapter_batch"}, {20, "volume"},    {21, "volume_batch"},
    {30, "image"},   {31, "image_batch"},   {40, "artifact"},  {41, "artifact_batch"},
};

}  // namespace

std::span<const JobKind> jobKinds() {
  return kKinds;
}

const JobKind* kindOf(int number) {
  for (const auto& kind : kKinds) {
    if (kind.number == number) return &kind;
  }
  return nullptr;
}

const JobKind* kindOf(std::string_view type) {
  for (const auto& kind : kKinds) {
    if (kind.type == type) return &kind;
  }
  return nullptr;
}

std::vector<std::string> allTypes() {
  std::vector<std::string> all;
  for (const auto& kind : kKinds) all.emplace_back(kind.type);
  return all;
}

std::vector<std::int64_t> allNumbers() {
  std::vector<std::int64_t> all;
  for (const auto& kind : kKinds) all.push_back(kind.number);
  return all;
}

}  // namespace jobhost::api::lncrawl
