// Usage: test records-user.so
#include <jobhost/testing.hpp>

#include <cstdio>

using jobhost::Json;

static bool check(bool good, const char* what) {
  if (!good) std::printf("failed: %s\n", what);
  return good;
}

int main(int, char** argv) {
  jobhost::testing::FakeHost host{std::string(argv[1])};
  const Json emma{{"id", "emma"}, {"title", "Emma"}, {"author", "Jane Austen"}, {"tags", Json::array({"novel"})},
                  {"chapters", Json::array({"I", "II", "III"})}};
  const Json books{{"books", Json::array({emma})}};
  bool good = true;

  const auto shelved = host.run("shelve", books);
  good &= check(shelved.succeeded() && shelved.result["on_the_shelf"].intOr(0) == 1, "a book is shelved");
  good &= check(host.records("chapters").size() == 3, "its chapters too");

  // A call that fails in the middle leaves the shelf as it was.
  host.failCall("records.put", 2, JH_E_LIMIT);
  good &= check(host.run("shelve", {{"books", Json::array({Json{{"id", "x"}, {"title", "X"}, {"chapters", Json::array({"I", "II"})}}})}})
                        .code == JH_E_FAILED,
                "a failing call fails the job");
  good &= check(host.records("books").size() == 1 && host.records("chapters").size() == 3, "and leaves nothing behind");

  const auto found = host.run("find-books", {{"author", "Jane Austen"}});
  good &= check(found.result["books"].size() == 1, "a book is found by its author");
  good &= check(host.run("find-books", {{"tag", "poem"}}).result["books"].size() == 0, "and not by another's tag");

  host.run("read-chapter", {{"book", "emma"}, {"number", 2}});
  const auto read = host.run("read-chapter", {{"book", "emma"}, {"number", 2}});
  good &= check(read.result["read"].intOr(0) == 2, "readings are counted");
  good &= check(host.records("chapters").at("emma/2")["read"].intOr(0) == 2, "and kept");
  good &= check(host.keys().at("last-read") == "emma/2", "the last one is remembered");
  good &= check(host.run("read-chapter", {{"book", "emma"}, {"number", 9}}).error_class == JH_CLASS_BAD_INPUT,
                "an unknown chapter is the caller's fault");
  good &= check(read.complaints.empty() && shelved.complaints.empty(), "no rule is broken");
  std::puts(good ? "good" : "failed");
  return good ? 0 : 1;
}
