#include "api/multipart.hpp"

#include <Poco/Net/MessageHeader.h>
#include <Poco/Net/MultipartReader.h>
#include <Poco/Net/NetException.h>

#include <limits>
#include <optional>
#include <streambuf>

#include "api/http_types.hpp"

namespace jobhost::api {
namespace {

constexpr int kMaxParts = 1000;
constexpr int kMaxPartHeaders = 32;
constexpr std::size_t kMaxBoundary = 200;  // RFC 2046 allows 70

core::Error malformed(std::string message) {
  return {core::ErrorCode::InvalidArgument, std::move(message), "", {}};
}

/// A body as Poco's multipart reader wants it. The first failure ends the stream and is kept.
class BodyBuffer final : public std::streambuf {
 public:
  BodyBuffer(BodyReader& body, const std::string& boundary, std::int64_t limit)
      : body_(body), end_mark_("--" + boundary + "--"), limit_(limit) {}
  [[nodiscard]] const std::optional<core::Error>& failure() const { return failure_; }
  /// Whether the body ended before its last boundary. Poco's reader takes its end for the end of a part.
  [[nodiscard]] bool cutShort() const { return ended_ && tail_.find(end_mark_) == std::string::npos; }

 protected:
  int_type underflow() override {
    if (failure_) return traits_type::eof();
    const auto got = body_.read(piece_, sizeof piece_);
    if (!got) failure_ = got.error();
    ended_ = got && *got == 0;
    if (!got || *got == 0) return traits_type::eof();
    tail_.append(piece_, *got);
    if (const auto kept = end_mark_.size() + 4; tail_.size() > kept) tail_.erase(0, tail_.size() - kept);
    taken_ += static_cast<std::int64_t>(*got);
    if (taken_ > limit_) {
      failure_ = core::Error{
          core::ErrorCode::TooLarge, "the upload is larger than " + std::to_string(limit_) + " bytes", "", {}};
      return traits_type::eof();
    }
    setg(piece_, piece_, piece_ + *got);
    return traits_type::to_int_type(piece_[0]);
  }

 private:
  BodyReader& body_;
  const std::string end_mark_;
  std::string tail_;  ///< the last bytes read, enough for the end mark and its line end
  bool ended_ = false;
  std::int64_t limit_;
  std::int64_t taken_ = 0;
  std::optional<core::Error> failure_;
  char piece_[16 * 1024];
};

PartHead headOf(const Poco::Net::MessageHeader& header) {
  std::string kind;
  Poco::Net::NameValueCollection parameters;
  Poco::Net::MessageHeader::splitParameters(header.get("Content-Disposition", ""), kind, parameters);
  return {parameters.get("name", ""), parameters.get("filename", ""), header.get("Content-Type", "")};
}

}  // namespace

bool isMultipartForm(std::string_view content_type) {
  constexpr std::string_view kType = "multipart/form-data";
  return content_type.size() >= kType.size() && sameNoCase(content_type.substr(0, kType.size()), kType);
}

core::Result<void> readMultipart(const std::string& content_type, BodyReader& body, std::int64_t limit,
                                 const PartHandler& part) {
  std::string kind;
  Poco::Net::NameValueCollection parameters;
  Poco::Net::MessageHeader::splitParameters(content_type, kind, parameters);
  const auto boundary = parameters.get("boundary", "");
  if (boundary.empty() || boundary.size() > kMaxBoundary) return malformed("the multipart body is not valid");
  BodyBuffer buffer(body, boundary, limit);
  std::istream stream(&buffer);
  try {
    Poco::Net::MultipartReader reader(stream, boundary);
    for (int count = 0; reader.hasNextPart(); ++count) {
      if (count == kMaxParts) return malformed("the multipart body has too many parts");
      Poco::Net::MessageHeader header;
      header.setFieldLimit(kMaxPartHeaders);
      reader.nextPart(header);
      const auto taken = part(headOf(header), reader.stream());
      if (buffer.failure()) return *buffer.failure();
      if (!taken) return taken;
      reader.stream().ignore(std::numeric_limits<std::streamsize>::max());
    }
  } catch (const Poco::Exception& problem) {
    if (buffer.failure()) return *buffer.failure();
    auto error = malformed("the multipart body is not valid");
    error.detail = problem.displayText();
    return error;
  }
  if (buffer.failure()) return *buffer.failure();
  if (buffer.cutShort()) return malformed("the multipart body ends before its last boundary");
  return {};
}

}  // namespace jobhost::api
