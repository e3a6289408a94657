#include "services/http_door.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <variant>

#include "services/http_request.hpp"

namespace jobhost::services {
namespace {

using Answer = std::function<void(pool::HttpAnswer)>;

/// A file in `tmp/<slot>/` of a runner's folder. The plugin owns that folder and may have put links there: nothing of
/// the way below the work folder is followed, and the file must be new.
class BodyFile {
 public:
  BodyFile(std::filesystem::path work_folder, std::uint32_t slot, std::string name)
      : work_(std::move(work_folder)), below_("tmp/" + std::to_string(slot)), name_(std::move(name)) {}

  [[nodiscard]] const std::string& name() const { return name_; }

  core::Result<int> create() const {
    const int work = ::open(work_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (work < 0) return broken(errno);
    open_how how{};
    how.flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC;
    how.mode = 0600;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const std::string path = below_ + "/" + name_;
    const long fd = ::syscall(SYS_openat2, work, path.c_str(), &how, sizeof(how));
    const int why = errno;
    ::close(work);
    if (fd < 0) return broken(why);
    return static_cast<int>(fd);
  }

  void remove() const {
    const int work = ::open(work_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (work < 0) return;  // the folder is gone, and the file with it
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const long folder = ::syscall(SYS_openat2, work, below_.c_str(), &how, sizeof(how));
    ::close(work);
    if (folder < 0) return;
    ::unlinkat(static_cast<int>(folder), name_.c_str(), 0);
    ::close(static_cast<int>(folder));
  }

 private:
  static core::Error broken(int number) {
    return {core::ErrorCode::Unavailable,
            std::string("the body's file cannot be made in the job's temp folder: ") + std::strerror(number),
            {},
            {}};
  }

  const std::filesystem::path work_;
  const std::string below_;
  const std::string name_;
};

/// What outlives the session when a fetch ends late.
struct Shared {
  std::mutex mutex;
  bool open = true;
  std::map<std::uint64_t, fetch::Client::Ticket> running;  ///< by number of the fetch; 0: not known yet
};

class Session final : public pool::HttpSession {
 public:
  Session(fetch::Client& client, std::shared_ptr<std::atomic<std::uint64_t>> numbers)
      : client_(client), numbers_(std::move(numbers)) {}

  ~Session() override {
    {
      const std::lock_guard lock(shared_->mutex);  // a callback that runs now is waited for
      shared_->open = false;
    }
    stop();
  }

  void fetch(pool::HttpCall call, Answer done) override {
    bool keeps_cookies = true;
    auto parsed = parseHttpRequest(call.request_json, keeps_cookies);
    if (const auto* wrong = std::get_if<fetch::Failure>(&parsed)) return done(describeFailure(*wrong));
    if (stopped_) return done(describeFailure({fetch::FailureCode::Canceled, "the job was asked to stop"}));
    auto request = std::get<fetch::Request>(std::move(parsed));
    request.body = std::move(call.body);
    request.allowed_hosts = std::move(call.allowed_hosts);
    if (keeps_cookies) request.cookies = cookies_;

    const std::uint64_t number = numbers_->fetch_add(1) + 1;
    auto file = std::make_shared<BodyFile>(call.work_folder, call.slot, "http-" + std::to_string(number));
    auto sink = std::make_shared<fetch::SpillSink>(HttpDoor::kInlineBytes, [file] { return file->create(); });
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->running.emplace(number, 0);
    }
    const auto ticket =
        client_.start(std::move(request), sink,
                      [shared = shared_, number, sink, file, done = std::move(done)](fetch::Client::Outcome outcome) {
                        const std::lock_guard lock(shared->mutex);
                        shared->running.erase(number);
                        const auto* failed = std::get_if<fetch::Failure>(&outcome);
                        const bool kept = failed == nullptr && sink->inFile() && shared->open;
                        if (sink->madeFile() && !kept) file->remove();
                        if (!shared->open) return;
                        if (failed != nullptr) return done(describeFailure(*failed));
                        const auto& response = std::get<fetch::Response>(outcome);
                        done({0, {}, describeResponse(response, kept ? file->name() : ""), std::move(sink->memory)});
                      });
    const std::lock_guard lock(shared_->mutex);
    if (const auto found = shared_->running.find(number); found != shared_->running.end()) found->second = ticket;
  }

  void stop() override {
    stopped_ = true;
    std::map<std::uint64_t, fetch::Client::Ticket> running;
    {
      const std::lock_guard lock(shared_->mutex);
      running = shared_->running;
    }
    for (const auto& [number, ticket] : running) client_.cancel(ticket);
  }

 private:
  fetch::Client& client_;
  const std::shared_ptr<std::atomic<std::uint64_t>> numbers_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  const std::shared_ptr<fetch::CookieJar> cookies_ = std::make_shared<fetch::CookieJar>();
  bool stopped_ = false;
};

}  // namespace

std::unique_ptr<pool::HttpSession> HttpDoor::open() {
  return std::make_unique<Session>(client_, files_);
}

}  // namespace jobhost::services
