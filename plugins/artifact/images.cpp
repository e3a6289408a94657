#include "artifact/images.hpp"

#include <algorithm>

namespace jobhost::artifact {

using support::Failure;
using support::FailureKind;

ImageResolver ImageShelf::resolver() {
  return [this](const ImageReference& reference) { return add(reference); };
}

std::optional<std::string> ImageShelf::add(const ImageReference& reference) {
  const std::string& key = naming_ == Naming::ByType ? reference.id : reference.name;
  if (const auto found = known_.find(key); found != known_.end()) {
    if (found->second == 0) return std::nullopt;
    return images_[found->second - 1].name;
  }
  support::checkStop(stop_);
  if (known_.size() >= limits_.max_images) {
    throw Failure(FailureKind::Limit, "artifact.images",
                  "the book has more than " + std::to_string(limits_.max_images) + " pictures");
  }
  const std::optional<std::string> bytes = source_.image(reference.id);
  if (bytes && bytes->size() > limits_.max_image_bytes) {
    throw Failure(
        FailureKind::Limit, "artifact.image_too_large",
        "the picture " + reference.id + " is larger than " + std::to_string(limits_.max_image_bytes) + " bytes");
  }
  const auto type = bytes ? probeImage(*bytes) : std::nullopt;
  if (!type) {
    known_.emplace(key, 0);
    ++missing_;
    return std::nullopt;
  }
  // Where case does not count, two ids that differ in it would be one file; the crawler's are lower case.
  const bool is_plain =
      std::none_of(reference.id.begin(), reference.id.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  const std::string id = is_plain ? reference.id : reference.id + "-" + std::to_string(images_.size() + 1);
  const std::string name = naming_ == Naming::AsIs ? reference.name : "images/" + id + "." + std::string(type->ending);
  zip_.add(folder_ + name, *bytes, ZipWriter::Method::Stored);
  images_.push_back({name, type->media_type});
  known_.emplace(key, images_.size());
  return name;
}

std::optional<BookImage> ImageShelf::addCover() {
  const std::optional<std::string> bytes = source_.cover();
  if (!bytes || bytes->size() > limits_.max_image_bytes) return std::nullopt;
  const auto type = probeImage(*bytes);
  if (!type) return std::nullopt;
  BookImage cover{"cover." + std::string(type->ending), type->media_type};
  zip_.add(folder_ + cover.name, *bytes, ZipWriter::Method::Stored);
  return cover;
}

}  // namespace jobhost::artifact
