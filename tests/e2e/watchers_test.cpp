// Event streams in the number and the badness in which they come.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/sanitized.hpp"
#include "e2e/host_process.hpp"

namespace jobhost::e2e {
namespace {

constexpr int kWatchers = core::kSanitized ? 1'000 : 10'000;
constexpr int kAtOnce = 100;
constexpr int kRequestThreads = 8;
constexpr int kWaitMillis = 60'000;

/// One event stream on a socket of its own.
class Stream {
 public:
  Stream(int port, const std::string& key, const std::string& more_headers = {}, int receive_bytes = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_bytes > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto request =
        "GET /api/v1/events HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer " + key + "\r\n" + more_headers + "\r\n";
    good_ = fd_ >= 0 && ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
            ::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size());
  }
  Stream(Stream&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), good_(other.good_), text_(std::move(other.text_)) {}
  Stream& operator=(Stream&&) = delete;
  ~Stream() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool good() const { return good_; }
  /// Reads until `mark` has come; false: the stream ended, or nothing came for a minute.
  bool readUntil(const std::string& mark) {
    while (text_.find(mark) == std::string::npos) {
      if (!more()) return false;
    }
    text_.erase(0, text_.find(mark) + mark.size());
    return true;
  }
  /// Reads to the end of the stream, and answers what came.
  std::string readAll() {
    while (more()) {
    }
    return std::exchange(text_, {});
  }

 private:
  bool more() {
    pollfd entry{fd_, POLLIN, 0};
    if (::poll(&entry, 1, kWaitMillis) <= 0) {
      ADD_FAILURE() << "nothing came within a minute; so far: " << text_.substr(0, 300);
      return false;
    }
    char piece[16 * 1024];
    const auto got = ::recv(fd_, piece, sizeof piece, 0);
    if (got <= 0) return false;
    text_.append(piece, static_cast<std::size_t>(got));
    return true;
  }
  int fd_;
  bool good_ = false;
  std::string text_;
};

long threadsOf(pid_t pid) {
  std::error_code failed;
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid) + "/task", failed);
  return failed ? -1 : static_cast<long>(std::distance(begin(all), end(all)));
}

/// Thousands of sockets in this process and in the host, which inherits the limit.
bool allowFiles(rlim_t wanted) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max < wanted) return false;
  files.rlim_cur = std::max(files.rlim_cur, wanted);
  return ::setrlimit(RLIMIT_NOFILE, &files) == 0;
}

TEST(Watchers, TenThousandIdleOnesCostOneThreadAndHearOfEachJob) {
  ASSERT_TRUE(allowFiles(kWatchers + 2'000)) << "the hard limit of open files is too low for this test";
  TempFolder folder;
  const auto threads = "server.max_threads=" + std::to_string(kRequestThreads);
  HostProcess host({.data = folder / "data", .plugins = {}, .set = {threads}, .wrapper = {}});
  ASSERT_TRUE(host.start()) << host.log();
  const auto key = host.adminKey();
  const long before = threadsOf(host.pid());
  std::vector<Stream> streams;
  streams.reserve(kWatchers);
  while (streams.size() < kWatchers) {
    const auto first = streams.size();
    for (int i = 0; i < kAtOnce; ++i) {
      streams.emplace_back(host.port(), key);
      ASSERT_TRUE(streams.back().good()) << streams.size();
    }
    for (auto at = first; at < streams.size(); ++at) ASSERT_TRUE(streams[at].readUntil("\r\n\r\n")) << at;
  }
  EXPECT_LE(threadsOf(host.pid()), before + kRequestThreads + 1) << "those that answer requests, and one for streams";
  const auto id = host.submit("noop");
  ASSERT_TRUE(id);
  std::size_t told = 0;
  for (auto& stream : streams) told += stream.readUntil("event: succeeded") ? 1 : 0;
  EXPECT_EQ(told, streams.size());
  // The host has room for others meanwhile, and forgets those who leave.
  const auto open = host.openFiles();
  while (streams.size() > kWatchers / 2) streams.pop_back();
  EXPECT_TRUE(HostProcess::eventually([&] {
    host.submit("noop");  // whoever left is noticed when there is something to tell
    return host.openFiles() + kWatchers / 3 < open;
  }));
  EXPECT_TRUE(streams.front().readUntil("event: succeeded"));
  streams.clear();
  EXPECT_EQ(host.stop(), 0);
}

/// "17" of "id: 17", for each event in the text; and which events each job had.
void readEvents(const std::string& text, std::vector<std::int64_t>& ids) {
  for (std::size_t at = 0; (at = text.find("id: ", at)) != std::string::npos; at += 4) {
    if ((at == 0 || text[at - 1] == '\n') && text.find('\n', at) != std::string::npos) {
      ids.push_back(std::stoll(text.substr(at + 4)));
    }
  }
}

TEST(Watchers, OneThatWasTooSlowIsDroppedComesBackAndHasMissedNothing) {
  TempFolder folder;
  HostProcess host({.data = folder / "data", .plugins = {}, .set = {"sse.buffer_bytes=8192"}, .wrapper = {}});
  ASSERT_TRUE(host.start()) << host.log();
  const auto key = host.adminKey();
  Stream slow(host.port(), key, "Last-Event-ID: 0\r\n", 4096);
  ASSERT_TRUE(slow.good());
  const std::string large(4'000, 'x');  // said again by the event of each failure
  std::optional<std::int64_t> last;
  // Failures that say much, until the host gave the reader up; it took nothing meanwhile.
  ASSERT_TRUE(HostProcess::eventually([&] {
    for (int i = 0; i < 50; ++i) last = host.submit("fail", R"({"class":3,"message":")" + large + "\"}");
    const auto metrics = host.get("/metrics").body;
    const auto at = metrics.find("\njobhost_sse_dropped_total ");
    return at != std::string::npos && std::stoi(metrics.substr(at + 27)) > 0;
  }));
  ASSERT_TRUE(last && host.waitForEnd(*last));
  std::vector<std::int64_t> ids;
  auto text = slow.readAll();
  text.erase(text.rfind("\n\n") == std::string::npos ? 0 : text.rfind("\n\n") + 2);  // a cut event is none
  readEvents(text, ids);
  ASSERT_FALSE(ids.empty());
  const auto dropped_at = ids.back();

  Stream back(host.port(), key, "Last-Event-ID: " + std::to_string(dropped_at) + "\r\n");
  const auto marker = host.submit("noop");
  ASSERT_TRUE(marker && host.waitForEnd(*marker));
  EXPECT_EQ(host.stop(), 0);  // ends the stream
  readEvents(back.readAll(), ids);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end()) << "told twice";
  EXPECT_EQ(ids.front(), 1);
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(ids.back())) << "numbers are given without gaps";
  EXPECT_GT(ids.back(), dropped_at);
}

}  // namespace
}  // namespace jobhost::e2e
