#include "thumbnail/page_batch.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "support/image/image_engine.hpp"

namespace jobhost::thumbnail {
namespace {

struct Task {
  int page = 0;
  std::string bytes;                        // of an archive's page
  std::optional<support::Failure> failure;  // why there are none
};

struct Done {
  int page = 0;
  std::string error;
};

}  // namespace

/// What the threads of one run share: tasks on their way to workers, results on their way back.
class PageBatch::State {
 public:
  State(std::size_t ahead_bytes, int workers) : ahead_bytes_(ahead_bytes), running_(workers) {}

  /// False once the batch was given up.
  bool push(Task task) {
    std::unique_lock lock(mutex_);
    changed_.wait(
        lock, [&] { return given_up_ || waiting_bytes_ == 0 || waiting_bytes_ + task.bytes.size() <= ahead_bytes_; });
    if (given_up_) return false;
    waiting_bytes_ += task.bytes.size();
    tasks_.push_back(std::move(task));
    changed_.notify_all();
    return true;
  }
  void noMoreTasks() {
    const std::lock_guard lock(mutex_);
    fed_ = true;
    changed_.notify_all();
  }
  std::optional<Task> nextTask() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return given_up_ || fed_ || !tasks_.empty(); });
    if (given_up_ || tasks_.empty()) return std::nullopt;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    waiting_bytes_ -= task.bytes.size();
    changed_.notify_all();
    return task;
  }
  void finished(Done done) {
    const std::lock_guard lock(mutex_);
    done_.push_back(std::move(done));
    changed_.notify_all();
  }
  void workerEnds() {
    const std::lock_guard lock(mutex_);
    --running_;
    changed_.notify_all();
  }
  void giveUp() {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
    changed_.notify_all();
  }
  /// The next result; nullopt when all workers have ended and nothing is left.
  std::optional<Done> nextDone() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !done_.empty() || running_ == 0; });
    if (done_.empty()) return std::nullopt;
    Done done = std::move(done_.front());
    done_.pop_front();
    return done;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  std::deque<Done> done_;
  std::size_t waiting_bytes_ = 0;
  const std::size_t ahead_bytes_;
  int running_;
  bool fed_ = false;
  bool given_up_ = false;
};

PageBatch::PageBatch(PageSource& source, const Settings& settings, Options options, support::StopCheck stop)
    : source_(source), settings_(settings), options_(options), stop_(std::move(stop)) {}

void PageBatch::run(const std::vector<int>& pages, const Sink& sink, const Report& report) {
  std::unique_ptr<MappedFile> mapped;
  if (!source_.isArchive()) mapped = std::make_unique<MappedFile>(source_.fd());
  const int workers = std::clamp<int>(options_.threads, 1, static_cast<int>(std::max<std::size_t>(pages.size(), 1)));
  support::setThreadsPerImage(workers > 1 ? 1 : 0);
  State state(options_.ahead_bytes, workers);
  {
    std::vector<std::jthread> threads;
    // Whatever happens here, nobody is left waiting when the threads are joined.
    struct GiveUp {
      State& state;
      ~GiveUp() { state.giveUp(); }
    } give_up{state};
    threads.emplace_back([&] { feed(state, pages); });
    for (int i = 0; i < workers; ++i) threads.emplace_back([&] { work(state, sink, mapped.get()); });
    while (const auto done = state.nextDone()) report(done->page, done->error);
    give_up.state.giveUp();
  }
  support::setThreadsPerImage(0);
  support::checkStop(stop_);
}

void PageBatch::feed(State& state, const std::vector<int>& pages) {
  try {
    if (!source_.isArchive()) {
      for (const int page : pages) {
        if (!state.push({page, {}, {}})) break;
      }
    } else {
      std::map<std::size_t, int> page_of;  // by entry
      std::vector<std::size_t> wanted;
      for (const int page : pages) {
        const std::size_t entry = source_.archive().pages()[static_cast<std::size_t>(page) - 1];
        page_of[entry] = page;
        wanted.push_back(entry);
      }
      source_.archive().readMany(wanted, [&](std::size_t entry, support::Archive::Content content) {
        return state.push({page_of[entry], std::move(content.bytes), std::move(content.failure)});
      });
    }
  } catch (const support::Stopped&) {
    state.giveUp();
  } catch (const std::exception&) {
    state.giveUp();  // out of memory: the pages left are reported as missing by the caller
  }
  state.noMoreTasks();
}

void PageBatch::work(State& state, const Sink& sink, const MappedFile* mapped) {
  while (auto task = state.nextTask()) {
    std::string error;
    try {
      support::checkStop(stop_);
      if (task->failure) throw support::Failure(*task->failure);
      support::ThumbnailOptions options = options_.thumbnail;
      options.page = mapped != nullptr ? task->page : 1;
      const support::ImageInput input{-1, mapped != nullptr ? mapped->bytes() : std::string_view(task->bytes)};
      sink(task->page, support::makeThumbnail(input, options, settings_.image, stop_));
    } catch (const support::Stopped&) {
      state.giveUp();
      break;
    } catch (const std::exception& failure) {
      error = failure.what();
    }
    state.finished({task->page, std::move(error)});
  }
  state.workerEnds();
}

}  // namespace jobhost::thumbnail
