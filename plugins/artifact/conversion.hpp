#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "artifact/book_source.hpp"
#include "artifact/formats.hpp"
#include "support/common/failure.hpp"

namespace jobhost::artifact {

/// What can make the formats that need a converter. An HTTP converter, where one is configured, goes before the
/// program.
struct Converters {
  std::filesystem::path ebook_convert;  ///< calibre's program; empty: not installed
  std::string http_url;                 ///< base of an ebook-convert service ("http://127.0.0.1:8000"); empty: none
  /// calibre makes PDFs in a browser of its own, whose sandbox does not work as root. False: without it, for
  /// containers.
  bool browser_sandbox = true;
};

/// One conversion. The paths are absolute.
struct ConversionFiles {
  std::filesystem::path epub, output;
  std::filesystem::path cover;  ///< a picture; empty: none
};

/// A program to run with these arguments, without the name of the program itself, and with these variables besides what
/// the host gives.
struct ProgramCall {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
};

/// A request whose body is its pieces in order: text, or the bytes of a file.
struct HttpCall {
  struct File {
    std::filesystem::path path;
  };
  std::string url;
  std::string content_type;
  std::vector<std::variant<std::string, File>> body;  ///< method POST

  /// The whole body, for senders that want it so. Throws Failure file.read, and artifact.upload_too_large.
  [[nodiscard]] std::string wholeBody(std::uint64_t max_bytes) const;
};

using ConversionCall = std::variant<ProgramCall, HttpCall>;

/// What to call for one format; pure. Absent facts of the novel give no option. Throws Failure: artifact.no_converter
/// (Unsupported) when nothing can make it, artifact.format (BadInput) for a format that needs none,
/// artifact.converter_url (BadInput).
[[nodiscard]] ConversionCall planConversion(Format format, const Novel& novel, const ConversionFiles& files,
                                            const Converters& converters);

/// The arguments of ebook-convert: input, output, then options.
[[nodiscard]] std::vector<std::string> ebookConvertArguments(Format format, const Novel& novel,
                                                             const ConversionFiles& files);

/// The request of an ebook-convert service: POST <base>/convert with `file`, `output_format` and a field for each
/// option.
[[nodiscard]] HttpCall httpConversion(Format format, const Novel& novel, const ConversionFiles& files,
                                      std::string_view base_url);

/// What an answer of the service that is not 200 means: 503 and 504 are worth another try (Io), 413 is a Limit, all
/// else is BadInput. `body` is its text or {"detail": text}.
[[nodiscard]] support::Failure conversionRefused(Format format, int status, std::string_view body);

/// What the end of the program means; nullopt: it succeeded. `output_bytes`: the size of what it wrote, 0 without.
/// `log_tail`: the end of what it printed.
[[nodiscard]] std::optional<support::Failure> conversionFailed(Format format, int exit_code, std::uint64_t output_bytes,
                                                               std::string_view log_tail);

/// Nothing can make the format: artifact.no_converter (Unsupported), with what would help.
[[nodiscard]] support::Failure noConverter(Format format);

/// A converted format was asked for and its epub is not there.
[[nodiscard]] support::Failure noEpub(Format format);

}  // namespace jobhost::artifact
