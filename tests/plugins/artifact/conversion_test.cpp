#include "artifact/conversion.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "fake_book.hpp"

namespace jobhost::artifact {
namespace {

using support::Failure;
using support::FailureKind;
using Words = std::vector<std::string>;

Novel novel() {
  Novel all;
  all.id = "id";
  all.title = "A Book";
  all.authors = {"Ann Author", "B & C"};
  all.tags = {"one", "two, three"};
  all.language = "en";
  all.url = "https://novels.example.test/book/1";
  return all;
}

const ConversionFiles kFiles{"/work/book.epub", "/work/book.out", "/work/cover.jpg"};

TEST(EbookConvert, IsCalledAsTheContractSays) {
  EXPECT_EQ(ebookConvertArguments(Format::Mobi, novel(), kFiles), (Words{"/work/book.epub",
                                                                         "/work/book.out",
                                                                         "--unsmarten-punctuation",
                                                                         "--no-chapters-in-toc",
                                                                         "--enable-heuristics",
                                                                         "--disable-renumber-headings",
                                                                         "--title",
                                                                         "A Book",
                                                                         "--authors",
                                                                         "Ann Author & B && C",
                                                                         "--language",
                                                                         "en",
                                                                         "--tags",
                                                                         "one, two three",
                                                                         "--series",
                                                                         "A Book",
                                                                         "--publisher",
                                                                         "https://novels.example.test/book/1",
                                                                         "--book-producer",
                                                                         "jobhost",
                                                                         "--cover",
                                                                         "/work/cover.jpg"}));
}

TEST(EbookConvert, GivesPdfItsPages) {
  const Words words = ebookConvertArguments(Format::Pdf, novel(), kFiles);
  const auto at = std::find(words.begin(), words.end(), "--paper-size");
  ASSERT_NE(at, words.end());
  EXPECT_EQ(*(at + 1), "letter");
  for (const char* flag : {"--pdf-page-numbers", "--pdf-hyphenate", "--pdf-header-template"}) {
    EXPECT_EQ(std::count(words.begin(), words.end(), flag), 1) << flag;
  }
}

TEST(EbookConvert, LeavesOutWhatIsNotKnown) {
  Novel bare;
  bare.language = "not a tag";
  EXPECT_EQ(ebookConvertArguments(Format::Rb, bare, {"/e", "/o", {}}),
            (Words{"/e", "/o", "--unsmarten-punctuation", "--no-chapters-in-toc", "--enable-heuristics",
                   "--disable-renumber-headings", "--title", "Untitled", "--series", "Untitled", "--book-producer",
                   "jobhost"}));
}

TEST(EbookConvert, StaysWithinWhatTheKernelTakes) {
  Novel large = novel();
  large.title = std::string(1 << 20, 'x') + std::string("\0y", 2);
  large.tags.assign(10'000, std::string(900, 't'));
  large.authors.assign(10'000, "Author");
  for (const std::string& word : ebookConvertArguments(Format::Mobi, large, kFiles)) {
    EXPECT_LE(word.size(), 4000u);
    EXPECT_EQ(word.find('\0'), std::string::npos);
  }
}

TEST(Conversion, TakesTheServiceBeforeTheProgram) {
  const Converters both{.ebook_convert = "/usr/bin/ebook-convert", .http_url = "http://127.0.0.1:8000/"};
  const auto http = planConversion(Format::Mobi, novel(), kFiles, both);
  ASSERT_TRUE(std::holds_alternative<HttpCall>(http));
  EXPECT_EQ(std::get<HttpCall>(http).url, "http://127.0.0.1:8000/convert");
  const auto program = planConversion(Format::Mobi, novel(), kFiles, {.ebook_convert = "/usr/bin/ebook-convert"});
  ASSERT_TRUE(std::holds_alternative<ProgramCall>(program));
  EXPECT_EQ(std::get<ProgramCall>(program).program, "/usr/bin/ebook-convert");
  EXPECT_EQ(std::get<ProgramCall>(program).environment.size(), 2u);
  const auto rootless = planConversion(Format::Pdf, novel(), kFiles,
                                       {.ebook_convert = "/usr/bin/ebook-convert", .browser_sandbox = false});
  EXPECT_EQ(std::get<ProgramCall>(rootless).environment.back().first, "QTWEBENGINE_DISABLE_SANDBOX");
}

TEST(Conversion, WithoutConverterIsAnErrorOfThatFormat) {
  for (const Format format : kFormats) {
    try {
      (void)planConversion(format, novel(), kFiles, {});
      FAIL() << nameOf(format);
    } catch (const Failure& failure) {
      const bool converted = needsConverter(format);
      EXPECT_EQ(failure.code(), converted ? "artifact.no_converter" : "artifact.format") << nameOf(format);
      EXPECT_NE(std::string(failure.what()).find(nameOf(format)), std::string::npos) << failure.what();
      if (converted) {
        EXPECT_TRUE(std::string(failure.what()).starts_with("No calibre executables: ")) << failure.what();
      }
    }
  }
}

TEST(Conversion, RefusesAddressesThatAreNone) {
  for (const char* url : {"", "127.0.0.1:8000", "ftp://x", "http://x/?a=b", "file:///x"}) {
    try {
      (void)httpConversion(Format::Mobi, novel(), kFiles, url);
      FAIL() << url;
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), "artifact.converter_url");
    }
  }
}

class HttpConversion : public ::testing::Test {
 protected:
  HttpConversion() : epub_(book_) {}
  [[nodiscard]] ConversionFiles files() const { return {epub_.path(), "/work/out", epub_.path()}; }
  testing::FakeBook book_;
  testing::Epub epub_;
};

TEST_F(HttpConversion, SendsAFieldForEachOption) {
  const HttpCall call = httpConversion(Format::Pdf, novel(), files(), "http://h");
  const std::string body = call.wholeBody(1 << 20);
  ASSERT_TRUE(call.content_type.starts_with("multipart/form-data; boundary="));
  const std::string boundary = "--" + call.content_type.substr(call.content_type.find('=') + 1);
  const auto field = [&](const std::string& name) {
    const std::string head = boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n";
    const std::size_t at = body.find(head);
    return at == std::string::npos ? "absent"
                                   : body.substr(at + head.size(), body.find("\r\n--", at) - at - head.size());
  };
  EXPECT_EQ(field("output_format"), "pdf");
  EXPECT_EQ(field("unsmarten_punctuation"), "true");
  EXPECT_EQ(field("no_chapters_in_toc"), "true");
  EXPECT_EQ(field("enable_heuristics"), "true");
  EXPECT_EQ(field("renumber_headings"), "false");
  EXPECT_EQ(field("authors"), "Ann Author & B && C");
  EXPECT_EQ(field("paper_size"), "letter");
  EXPECT_EQ(field("language"), "en");
  const std::string file =
      "; filename=\"book.epub\"\r\nContent-Type: application/epub+zip\r\n\r\n" + epub_.bytes() + "\r\n" + boundary;
  EXPECT_NE(body.find(file), std::string::npos);
  EXPECT_NE(body.find("name=\"cover\"; filename=\"cover.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"), std::string::npos);
  EXPECT_TRUE(body.ends_with("\r\n" + boundary + "--\r\n"));
}

TEST_F(HttpConversion, SendsNoMoreThanMayBeSent) {
  const HttpCall call = httpConversion(Format::Mobi, novel(), files(), "http://h");
  const auto whole = call.wholeBody(1 << 20).size();
  EXPECT_EQ(call.wholeBody(whole).size(), whole);
  for (const std::uint64_t most : {std::uint64_t{0}, std::uint64_t{100}, std::uint64_t{whole - 1}}) {
    try {
      (void)call.wholeBody(most);
      FAIL() << most;
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), "artifact.upload_too_large");
      EXPECT_EQ(failure.kind(), FailureKind::Limit);
    }
  }
}

TEST(ConversionAnswers, SayWhetherToTryAgain) {
  EXPECT_EQ(conversionRefused(Format::Mobi, 503, "").kind(), FailureKind::Io);
  EXPECT_EQ(conversionRefused(Format::Mobi, 504, "").code(), "artifact.converter_timeout");
  EXPECT_EQ(conversionRefused(Format::Mobi, 413, "").kind(), FailureKind::Limit);
  EXPECT_EQ(conversionRefused(Format::Mobi, 422, "").kind(), FailureKind::BadInput);
  EXPECT_STREQ(conversionRefused(Format::Mobi, 400, R"({"detail":"trace\nbad epub\n"})").what(),
               "Failed running ebook-convert: the converter answered 400 for mobi: bad epub");
  EXPECT_STREQ(conversionRefused(Format::Mobi, 500, "oops \x01").what(),
               "Failed running ebook-convert: the converter answered 500 for mobi: oops");
}

TEST(ConversionAnswers, OfTheProgramNeedAFile) {
  EXPECT_FALSE(conversionFailed(Format::Mobi, 0, 10, "noise"));
  EXPECT_STREQ(conversionFailed(Format::Mobi, 0, 0, "")->what(),
               "Failed running ebook-convert: it wrote no file making mobi");
  EXPECT_STREQ(conversionFailed(Format::Lit, 1, 10, "Traceback\n  x\nValueError: no\n\n")->what(),
               "Failed running ebook-convert: it ended with 1 making lit: ValueError: no");
  EXPECT_EQ(noEpub(Format::Pdf).code(), "artifact.no_epub");
}

}  // namespace
}  // namespace jobhost::artifact
