#include "wire/frame.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "wire/codec.hpp"

namespace jobhost::wire {
namespace {

constexpr std::size_t kMaxParts = 8;

void putHeader(char* at, std::uint32_t length, FrameType type, std::uint16_t flags, std::uint32_t id,
               std::uint32_t job) {
  const auto put = [&at](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) *at++ = static_cast<char>((value >> (8 * i)) & 0xff);
  };
  put(length, 4);
  put(static_cast<std::uint16_t>(type), 2);
  put(flags, 2);
  put(id, 4);
  put(job, 4);
}

}  // namespace

bool isKnown(std::uint16_t type) {
  return !toString(static_cast<FrameType>(type)).empty();
}

std::string_view toString(FrameType type) {
  switch (type) {
    case FrameType::Hello:
      return "HELLO";
    case FrameType::Welcome:
      return "WELCOME";
    case FrameType::Load:
      return "LOAD";
    case FrameType::Loaded:
      return "LOADED";
    case FrameType::LoadFailed:
      return "LOAD_FAILED";
    case FrameType::Run:
      return "RUN";
    case FrameType::Cancel:
      return "CANCEL";
    case FrameType::Recall:
      return "RECALL";
    case FrameType::Recalled:
      return "RECALLED";
    case FrameType::Done:
      return "DONE";
    case FrameType::Call:
      return "CALL";
    case FrameType::Return:
      return "RETURN";
    case FrameType::Ping:
      return "PING";
    case FrameType::Pong:
      return "PONG";
    case FrameType::Credit:
      return "CREDIT";
    case FrameType::Drain:
      return "DRAIN";
    case FrameType::Bye:
      return "BYE";
    case FrameType::Log:
      return "LOG";
    case FrameType::Progress:
      return "PROGRESS";
    case FrameType::Note:
      return "NOTE";
    case FrameType::Started:
      return "STARTED";
  }
  return {};
}

void appendFrame(std::string& out, FrameType type, std::uint32_t id, std::uint32_t job, std::string_view payload) {
  bool last = false;
  do {
    const std::size_t size = payload.size() <= kMaxPayload ? payload.size() : kChunkBytes;
    last = size == payload.size();
    char header[kHeaderBytes];
    putHeader(header, static_cast<std::uint32_t>(size), type, last ? std::uint16_t{0} : kFlagMore, id, job);
    out.append(header, kHeaderBytes);
    out.append(payload.substr(0, size));
    payload.remove_prefix(size);
  } while (!last);
}

FrameWriter::FrameWriter(std::string& out, FrameType type, std::uint32_t id, std::uint32_t job)
    : out_(out), start_(out.size()), type_(type), id_(id), job_(job) {
  out_.append(kHeaderBytes, '\0');
}

void FrameWriter::finish() {
  const std::size_t size = out_.size() - start_ - kHeaderBytes;
  if (size <= kMaxPayload) {
    putHeader(out_.data() + start_, static_cast<std::uint32_t>(size), type_, 0, id_, job_);
    return;
  }
  const std::string payload = out_.substr(start_ + kHeaderBytes);
  out_.resize(start_);
  appendFrame(out_, type_, id_, job_, payload);
}

char* FrameReader::prepare(std::size_t bytes) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (buffer_.size() - end_ < bytes) {
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (buffer_.size() - end_ < bytes) buffer_.resize(end_ + bytes);
  }
  return buffer_.data() + end_;
}

void FrameReader::commit(std::size_t bytes) {
  end_ += std::min(bytes, buffer_.size() - end_);
}

void FrameReader::feed(std::string_view bytes) {
  if (bytes.empty()) return;
  std::memcpy(prepare(bytes.size()), bytes.data(), bytes.size());
  commit(bytes.size());
}

FrameReader::Status FrameReader::broken(std::string why) {
  error_ = std::move(why);
  begin_ = end_ = 0;
  parts_.clear();
  return Status::Broken;
}

FrameReader::Status FrameReader::next(Frame& frame) {
  if (!error_.empty()) return Status::Broken;
  while (end_ - begin_ >= kHeaderBytes) {
    Decoder header(std::string_view(buffer_).substr(begin_, kHeaderBytes));
    const std::uint32_t length = header.u32();
    const std::uint16_t type = header.u16();
    const std::uint16_t flags = header.u16();
    frame.id = header.u32();
    frame.job = header.u32();
    frame.type = static_cast<FrameType>(type);
    if (length > kMaxPayload) {
      return broken("frame of " + std::to_string(length) + " bytes, at most " + std::to_string(kMaxPayload));
    }
    const bool known = isKnown(type);
    if (!known && (type & 0x8000) != 0) return broken("unknown mandatory frame type " + std::to_string(type));
    if (known && (flags & ~kFlagMore) != 0) return broken("unknown frame flags " + std::to_string(flags));
    if (end_ - begin_ < kHeaderBytes + length) return Status::NeedMore;
    frame.payload = std::string_view(buffer_).substr(begin_ + kHeaderBytes, length);
    begin_ += kHeaderBytes + length;
    if (!known) continue;
    const bool more = (flags & kFlagMore) != 0;
    if (!more && parts_.empty()) return Status::Message;
    const Status status = addPart({type, frame.id, frame.job}, more, frame);
    if (status != Status::NeedMore) return status;
  }
  return Status::NeedMore;
}

FrameReader::Status FrameReader::addPart(const Key& key, bool more, Frame& frame) {
  const auto found = parts_.find(key);
  if (found == parts_.end()) {
    if (!more) return Status::Message;
    if (parts_.size() >= kMaxParts) return broken("more than " + std::to_string(kMaxParts) + " messages in parts");
  }
  if (more && frame.payload.empty()) return broken("an empty part");
  if (parts_bytes_ + frame.payload.size() > max_message_) {
    return broken(std::string(toString(frame.type)) + " message in parts over " + std::to_string(max_message_) +
                  " bytes");
  }
  std::string& part = found == parts_.end() ? parts_[key] : found->second;
  part.append(frame.payload);
  parts_bytes_ += frame.payload.size();
  if (more) return Status::NeedMore;
  parts_bytes_ -= part.size();
  whole_ = std::move(part);
  parts_.erase(key);
  frame.payload = whole_;
  return Status::Message;
}

}  // namespace jobhost::wire
