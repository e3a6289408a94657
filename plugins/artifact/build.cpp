#include "artifact/build.hpp"

#include <algorithm>

#include "artifact/text.hpp"

namespace jobhost::artifact {
namespace {

using support::Failure;
using support::FailureKind;

bool bySerial(const Volume& a, const Volume& b) {
  return a.serial < b.serial;
}

}  // namespace

std::string volumeTitle(const Volume& volume) {
  return lineOr(volume.title, "Volume " + std::to_string(volume.serial));
}

BookWalk::BookWalk(BookSource& source, const BookLimits& limits, const BuildHooks& hooks)
    : source_(source), limits_(limits), hooks_(hooks), volumes_(source.volumes()) {
  if (volumes_.size() > limits.max_volumes) {
    throw Failure(FailureKind::Limit, "artifact.volumes",
                  "the book has more than " + std::to_string(limits.max_volumes) + " volumes");
  }
  std::sort(volumes_.begin(), volumes_.end(), bySerial);
  for (std::size_t i = 0; i < volumes_.size(); ++i) {
    if (volumes_[i].serial < 0 || (i > 0 && volumes_[i].serial == volumes_[i - 1].serial)) {
      throw Failure(FailureKind::BadInput, "artifact.order",
                    "volume serials must be unique and not negative: " + std::to_string(volumes_[i].serial));
    }
  }
  left_.resize(volumes_.size());
  cursor_ = source.chapters();
}

const Volume* BookWalk::volume(int serial) const {
  const auto found = std::lower_bound(volumes_.begin(), volumes_.end(), serial,
                                      [](const Volume& one, int wanted) { return one.serial < wanted; });
  return found != volumes_.end() && found->serial == serial ? &*found : nullptr;
}

const Volume* BookWalk::enter(const Chapter& chapter) {
  const std::string name = "chapter " + std::to_string(chapter.serial);
  const auto at = std::lower_bound(serials_.begin(), serials_.end(), chapter.serial);
  if (chapter.serial < 0 || (at != serials_.end() && *at == chapter.serial)) {
    throw Failure(FailureKind::BadInput, "artifact.order", "chapter serials must be unique and not negative: " + name);
  }
  if (serials_.size() >= limits_.max_chapters) {
    throw Failure(FailureKind::Limit, "artifact.chapters",
                  "the book has more than " + std::to_string(limits_.max_chapters) + " chapters");
  }
  serials_.insert(at, chapter.serial);  // at the end, but for books whose last volume gathers what had none

  const Volume* volume = nullptr;
  if (chapter.volume_serial) {
    volume = this->volume(*chapter.volume_serial);
    if (volume == nullptr) {
      throw Failure(
          FailureKind::BadInput, "artifact.volume",
          name + " is of volume " + std::to_string(*chapter.volume_serial) + ", which the book does not have");
    }
  }
  if (volume != current_) {
    if (current_ != nullptr) left_[static_cast<std::size_t>(current_ - volumes_.data())] = true;
    if (volume != nullptr && left_[static_cast<std::size_t>(volume - volumes_.data())]) {
      throw Failure(FailureKind::BadInput, "artifact.order",
                    "the chapters of volume " + std::to_string(volume->serial) + " must stand together: " + name);
    }
    current_ = volume;
  }
  return volume;
}

const BookChapter* BookWalk::next() {
  for (;;) {
    support::checkStop(hooks_.stop);
    std::optional<Chapter> chapter = cursor_->next();
    if (!chapter) return nullptr;
    const Volume* volume = enter(*chapter);
    std::optional<std::string> html = source_.body(*chapter);
    if (!html) {
      ++report_.missing_chapters;
      continue;
    }
    if (html->size() > limits_.max_body_bytes) {
      throw Failure(FailureKind::Limit, "artifact.chapter_too_large",
                    "chapter " + std::to_string(chapter->serial) + " is larger than " +
                        std::to_string(limits_.max_body_bytes) + " bytes");
    }
    ++report_.chapters;
    chapter_.begins_volume = volume != nullptr && volume != begun_;
    if (chapter_.begins_volume) {
      begun_ = volume;
      ++report_.volumes;
    }
    chapter_.title = lineOr(chapter->title, "Chapter " + std::to_string(chapter->serial));
    chapter_.volume = volume;
    chapter_.chapter = *std::move(chapter);
    chapter_.html = *std::move(html);
    return &chapter_;
  }
}

void BookWalk::written() {
  if (hooks_.written) hooks_.written(report_.chapters);
}

}  // namespace jobhost::artifact
