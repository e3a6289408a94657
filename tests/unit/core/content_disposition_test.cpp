#include "core/content_disposition.hpp"

#include <gtest/gtest.h>

namespace jobhost::core {
namespace {

struct Case {
  std::string name, file, ascii, encoded;
};

class ContentDisposition : public ::testing::TestWithParam<Case> {};

TEST_P(ContentDisposition, SpellsTheNameTwice) {
  const Case& c = GetParam();
  EXPECT_EQ(contentDisposition("attachment", c.file),
            "attachment; filename=\"" + c.ascii + "\"; filename*=UTF-8''" + c.encoded);
}

INSTANTIATE_TEST_SUITE_P(
    Names, ContentDisposition,
    ::testing::Values(Case{"Plain", "book.epub", "book.epub", "book.epub"},
                      Case{"Space", "A Book.epub", "A Book.epub", "A%20Book.epub"},
                      Case{"Percent", "100% A%2F.pdf", "100_ A_2F.pdf", "100%25%20A%252F.pdf"},
                      Case{"Quote", "a\"b;c.txt", "a_b;c.txt", "a%22b%3Bc.txt"},
                      Case{"Apostrophe", "it's (1).txt", "it's (1).txt", "it%27s%20%281%29.txt"},
                      Case{"Umlaut", "Käfer.pdf", "K_fer.pdf", "K%C3%A4fer.pdf"},
                      Case{"Chinese", "小说.epub", "__.epub", "%E5%B0%8F%E8%AF%B4.epub"},
                      Case{"Emoji", "😀.txt", "_.txt", "%F0%9F%98%80.txt"},
                      Case{"Folders", "../a\\b/c", ".._a_b_c", ".._a_b_c"},
                      Case{"HeaderInjection", "a\r\nSet-Cookie: x", "a__Set-Cookie: x", "a__Set-Cookie%3A%20x"},
                      Case{"C1",
                           "a\xC2\x9B"
                           "b",
                           "a_b", "a_b"},
                      Case{"NotUtf8", "a\xFF\xC3", "a__", "a__"}, Case{"Nul", std::string("a\0b", 3), "a_b", "a_b"},
                      Case{"Empty", "", "download", "download"}, Case{"Parent", "..", "download", "download"}),
    [](const auto& tested) { return tested.param.name; });

TEST(ContentDispositionKind, IsTheCallers) {
  EXPECT_EQ(contentDisposition("inline", "a.png"), "inline; filename=\"a.png\"; filename*=UTF-8''a.png");
}

}  // namespace
}  // namespace jobhost::core
