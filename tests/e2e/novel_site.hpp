#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace jobhost::e2e {

/// A web site with novels on loopback, which can be made to fail in the ways that sites fail. Pages are there until
/// they are replaced or removed; what fails, is held back or slow is said for each path.
///
/// Threads: one a connection, at most 64; every method may be called from any thread. The destructor breaks all off.
class NovelSite {
 public:
  struct Page {
    int status = 200;
    std::string body;
    std::string type = "text/html; charset=utf-8";
    std::map<std::string, std::string> headers = {};
  };
  struct Chapter {
    std::string name;  ///< the last part of its address
    std::string title;
    std::string html;  ///< what is in its text; pictures may be relative to the book's folder
  };
  struct Book {
    std::string title = "The Small Book";
    std::string author = "Ann Author";
    std::string tag = "Harbours";
    std::string about = "<p>What a harbour is <b>for</b>.</p>";
    std::string cover;  ///< relative; empty: none
    std::vector<Chapter> chapters = {};
  };

  NovelSite();
  ~NovelSite();
  NovelSite(const NovelSite&) = delete;
  NovelSite& operator=(const NovelSite&) = delete;

  /// "http://127.0.0.1:PORT/path"
  [[nodiscard]] std::string url(const std::string& path = "/") const;
  [[nodiscard]] int port() const;

  void put(const std::string& path, Page page);
  void remove(const std::string& path);
  /// The pages of a book below `folder` ("/book/1/"): its own and one a chapter. An earlier one's chapters stay.
  void putBook(const std::string& folder, const Book& book);
  /// The files of a folder and of those in it, below `prefix` ("/policy/").
  void putFiles(const std::string& prefix, const std::filesystem::path& folder);
  /// The source spec that reads putBook's pages.
  [[nodiscard]] std::string bookSpec() const;

  /// The next `times` requests (-1: all) get this status instead of the page.
  void fail(const std::string& path, int status, int times = -1, std::map<std::string, std::string> headers = {});
  void recover(const std::string& path);  ///< after fail()
  /// Requests are answered once released, or never.
  void hold(const std::string& path);
  void release(const std::string& path);
  /// Each answer takes this long; of one path, or of all ("").
  void slow(const std::string& path, std::chrono::milliseconds delay);
  /// Answers have an ETag, and 304 is said to who has that already.
  void useTags(bool on);

  /// Waits until `times` requests for the path have come.
  [[nodiscard]] bool asked(const std::string& path, int times = 1,
                           std::chrono::seconds within = std::chrono::seconds(30)) const;
  /// Waits until the client that waits for a held path has gone.
  [[nodiscard]] bool left(const std::string& path, std::chrono::seconds within = std::chrono::seconds(30)) const;
  [[nodiscard]] int count(const std::string& path) const;   ///< requests so far
  [[nodiscard]] std::map<std::string, int> counts() const;  ///< of each path
  [[nodiscard]] std::vector<std::string> requests() const;  ///< paths in the order they were asked for
  [[nodiscard]] int mostAtOnce() const;                     ///< requests under way
  [[nodiscard]] std::string agent() const;                  ///< the last request's User-Agent

 private:
  struct State;
  class Handler;
  class Factory;
  std::shared_ptr<State> state_;
  struct Server;
  std::unique_ptr<Server> server_;
};

/// Debian's Policy Manual as its package has it: a book of some twenty chapters with pictures, as Sphinx makes them.
/// Throws when the package is not installed.
[[nodiscard]] std::filesystem::path policyManual();
/// The source spec that reads it, for a site at `base_url`.
[[nodiscard]] std::string policySpec(const std::string& base_url);

}  // namespace jobhost::e2e
