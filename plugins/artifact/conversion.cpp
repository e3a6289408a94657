#include "artifact/conversion.hpp"

#include <algorithm>
#include <fstream>
#include <utility>

#include "artifact/text.hpp"

namespace jobhost::artifact {
namespace {

using support::Failure;
using support::FailureKind;

constexpr std::size_t kMaxValueBytes = 4000;  // of one option; the kernel takes 128 KiB

// The picture of a page's head that calibre fills in; ours.
constexpr std::string_view kPdfHeader =
    "<div style=\"font-size: 8pt; text-align: center; width: 100%\">_TITLE_ &middot; _SECTION_</div>";

/// One option by both of its spellings. A switch has no value on the command line.
struct Option {
  std::string_view flag;   // of the program
  std::string_view field;  // of the service: calibre's own name of it
  std::string value;       // of the service's field; of the flag, unless it is a switch
  bool is_switch = false;
};

std::string list(const std::vector<std::string>& words, std::string_view separator, char escaped_character,
                 std::string_view replacement) {
  std::string out;
  for (const std::string& word : words) {
    std::string line;
    for (const char c : oneLine(word)) {
      if (c == escaped_character) {
        line += replacement;
      } else {
        line += c;
      }
    }
    line = oneLine(line);
    if (line.empty() || out.size() + separator.size() + line.size() > kMaxValueBytes) continue;
    (out += out.empty() ? std::string_view() : separator) += line;
  }
  return out;
}

std::vector<Option> optionsOf(Format format, const Novel& novel) {
  std::vector<Option> all = {
      {"--unsmarten-punctuation", "unsmarten_punctuation", "true", true},
      {"--no-chapters-in-toc", "no_chapters_in_toc", "true", true},
      {"--enable-heuristics", "enable_heuristics", "true", true},
      {"--disable-renumber-headings", "renumber_headings", "false", true},
  };
  const auto add = [&all](std::string_view flag, std::string_view field, std::string value) {
    if (!value.empty()) all.push_back({flag, field, std::move(value)});
  };
  const std::string title = lineOr(novel.title, "Untitled");
  add("--title", "title", title);
  add("--authors", "authors", list(novel.authors, " & ", '&', "&&"));  // calibre parts authors at '&'
  add("--language", "language", novel.language ? languageTag(*novel.language) : std::string());
  add("--tags", "tags", list(novel.tags, ", ", ',', " "));
  add("--series", "series", title);
  add("--publisher", "publisher", oneLine(novel.url, 2083));
  add("--book-producer", "book_producer", "jobhost");
  if (format == Format::Pdf) {
    add("--paper-size", "paper_size", "letter");
    all.push_back({"--pdf-page-numbers", "pdf_page_numbers", "true", true});
    all.push_back({"--pdf-hyphenate", "pdf_hyphenate", "true", true});
    add("--pdf-header-template", "pdf_header_template", std::string(kPdfHeader));
  }
  return all;
}

void requireConverted(Format format) {
  if (needsConverter(format)) return;
  throw Failure(FailureKind::BadInput, "artifact.format", std::string(nameOf(format)) + " is not made by a converter");
}

// 128 bits of the text: a boundary that two runs share, and that no field was chosen to contain.
std::string boundaryOf(std::string_view text) {
  std::uint64_t a = 0xcbf29ce484222325, b = 0x9e3779b97f4a7c15;
  for (const char c : text) {
    a = (a ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    b = (b + static_cast<unsigned char>(c)) * 0xff51afd7ed558ccd;
    b ^= b >> 32;
  }
  std::string out = "jobhost-";
  for (const std::uint64_t half : {a, b}) {
    for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[(half >> shift) & 15];
  }
  return out;
}

std::string readWhole(const std::filesystem::path& path, std::uint64_t max_bytes) {
  std::ifstream in(path, std::ios::binary);
  std::error_code wrong;
  const std::uint64_t size = std::filesystem::file_size(path, wrong);
  if (!in || wrong) throw Failure(FailureKind::Io, "file.read", "the file to convert cannot be read");
  if (size > max_bytes) {
    throw Failure(
        FailureKind::Limit, "artifact.upload_too_large",
        "the epub is larger than the " + std::to_string(max_bytes) + " bytes that can be sent to the converter");
  }
  std::string bytes(size, '\0');
  if (!in.read(bytes.data(), static_cast<std::streamsize>(size))) {
    throw Failure(FailureKind::Io, "file.read", "the file to convert cannot be read");
  }
  return bytes;
}

std::string lastLine(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find_last_of('\n');
    std::string line = oneLine(end == std::string_view::npos ? text : text.substr(end + 1), 300);
    if (!line.empty()) return line;
    text = end == std::string_view::npos ? std::string_view() : text.substr(0, end);
  }
  return {};
}

}  // namespace

std::vector<std::string> ebookConvertArguments(Format format, const Novel& novel, const ConversionFiles& files) {
  requireConverted(format);
  std::vector<std::string> arguments = {files.epub.string(), files.output.string()};
  for (const Option& option : optionsOf(format, novel)) {
    arguments.emplace_back(option.flag);
    if (!option.is_switch) arguments.push_back(option.value);
  }
  if (!files.cover.empty()) {
    arguments.emplace_back("--cover");
    arguments.push_back(files.cover.string());
  }
  return arguments;
}

HttpCall httpConversion(Format format, const Novel& novel, const ConversionFiles& files, std::string_view base_url) {
  requireConverted(format);
  while (base_url.ends_with('/')) base_url.remove_suffix(1);
  if (!isWebUrl(base_url) || base_url.find_first_of("?#") != std::string_view::npos) {
    throw Failure(FailureKind::BadInput, "artifact.converter_url",
                  "the address of the converter must be http:// or https://, a host, and at most a path");
  }
  std::vector<Option> options = optionsOf(format, novel);
  std::string all(nameOf(format));
  for (const Option& option : options) (all += option.field) += option.value;
  const std::string boundary = boundaryOf(all);

  const auto head = [&boundary](std::string_view name, std::string_view rest) {
    return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"" +
           std::string(rest) + "\r\n\r\n";
  };
  std::string fields = head("output_format", "") + std::string(nameOf(format)) + "\r\n";
  for (const Option& option : options) fields += head(option.field, "") + option.value + "\r\n";

  HttpCall call;
  call.url = std::string(base_url) + "/convert";
  call.content_type = "multipart/form-data; boundary=" + boundary;
  call.body.emplace_back(fields + head("file", "; filename=\"book.epub\"\r\nContent-Type: application/epub+zip"));
  call.body.emplace_back(HttpCall::File{files.epub});
  if (!files.cover.empty()) {
    // The service goes by the ending.
    const std::string ending = files.cover.extension() == ".png"   ? "png"
                               : files.cover.extension() == ".gif" ? "gif"
                                                                   : "jpg";
    call.body.emplace_back("\r\n" + head("cover", "; filename=\"cover." + ending + "\"\r\nContent-Type: image/" +
                                                      (ending == "jpg" ? "jpeg" : ending)));
    call.body.emplace_back(HttpCall::File{files.cover});
  }
  call.body.emplace_back("\r\n--" + boundary + "--\r\n");
  return call;
}

std::string HttpCall::wholeBody(std::uint64_t max_bytes) const {
  std::string whole;
  for (const auto& piece : body) {
    if (const auto* file = std::get_if<File>(&piece)) {
      whole += readWhole(file->path, max_bytes - std::min<std::uint64_t>(max_bytes, whole.size()));
    } else {
      whole += std::get<std::string>(piece);
    }
  }
  if (whole.size() > max_bytes) {
    throw Failure(FailureKind::Limit, "artifact.upload_too_large",
                  "the request to the converter is larger than " + std::to_string(max_bytes) + " bytes");
  }
  return whole;
}

ConversionCall planConversion(Format format, const Novel& novel, const ConversionFiles& files,
                              const Converters& converters) {
  requireConverted(format);
  if (!converters.http_url.empty()) return httpConversion(format, novel, files, converters.http_url);
  if (converters.ebook_convert.empty()) throw noConverter(format);
  ProgramCall call{converters.ebook_convert, ebookConvertArguments(format, novel, files), {}};
  call.environment = {{"QT_QPA_PLATFORM", "offscreen"}, {"LC_ALL", "C.UTF-8"}};  // a service has no display
  if (!converters.browser_sandbox) call.environment.emplace_back("QTWEBENGINE_DISABLE_SANDBOX", "1");
  return call;
}

Failure conversionRefused(Format format, int status, std::string_view body) {
  std::string detail;
  try {
    detail = std::string(Json::parse(body)["detail"].stringOr(""));
  } catch (const Error&) {
    detail = body;
  }
  const std::string reason = lastLine(detail);
  const std::string message = "Failed running ebook-convert: the converter answered " + std::to_string(status) +
                              " for " + std::string(nameOf(format)) + (reason.empty() ? "" : ": " + reason);
  switch (status) {
    case 413:
      return {FailureKind::Limit, "artifact.upload_too_large", message};
    case 408:
    case 429:
    case 502:
    case 503:
      return {FailureKind::Io, "artifact.converter_busy", message};
    case 504:
      return {FailureKind::Io, "artifact.converter_timeout", message};
    default:
      return {FailureKind::BadInput, "artifact.conversion", message};
  }
}

std::optional<Failure> conversionFailed(Format format, int exit_code, std::uint64_t output_bytes,
                                        std::string_view log_tail) {
  if (exit_code == 0 && output_bytes > 0) return std::nullopt;
  const std::string reason = lastLine(log_tail);
  const std::string what =
      exit_code == 0 ? std::string("it wrote no file") : "it ended with " + std::to_string(exit_code);
  return Failure(FailureKind::BadInput, "artifact.conversion",
                 "Failed running ebook-convert: " + what + " making " + std::string(nameOf(format)) +
                     (reason.empty() ? "" : ": " + reason));
}

Failure noConverter(Format format) {
  return {FailureKind::Unsupported, "artifact.no_converter",
          "No calibre executables: " + std::string(nameOf(format)) +
              " is made by calibre's ebook-convert, which this host has not: install calibre (Debian: apt-get install "
              "calibre), or set converter_url to an HTTP converter"};
}

Failure noEpub(Format format) {
  return {FailureKind::NotFound, "artifact.no_epub",
          "No EPub file found: " + std::string(nameOf(format)) + " is made from the epub, which was not made"};
}

}  // namespace jobhost::artifact
