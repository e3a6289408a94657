#include "thumbnail/error_list.hpp"

namespace jobhost::thumbnail {
namespace {

// Not within a letter.
std::string cut(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  return text.substr(0, most);
}

}  // namespace

bool ErrorList::add(const std::string& what) {
  if (list_.size() >= kMost) {
    ++more_;
    return false;
  }
  list_.push(cut(what, kMostBytes));
  return true;
}

Json ErrorList::result() const {
  Json list = list_;
  if (more_ > 0) list.push("and " + std::to_string(more_) + " more");
  return Json{{"errors", list}};
}

}  // namespace jobhost::thumbnail
