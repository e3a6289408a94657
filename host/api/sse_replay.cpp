#include <algorithm>
#include <cerrno>
#include <chrono>

#include <poll.h>
#include <sys/socket.h>

#include "api/json_writer.hpp"
#include "api/native/render.hpp"
#include "api/sse_watcher.hpp"
#include "core/event.hpp"

// What a stream is told of the time before it, on the HTTP thread that answered its request.

namespace jobhost::api {
namespace {

constexpr int kReplayPage = 500;

/// The terminal move itself.
bool isEnd(const core::JobEvent& event) {
  return event.kind == core::EventKind::Succeeded || event.kind == core::EventKind::Failed ||
         event.kind == core::EventKind::Canceled;
}

}  // namespace

void appendSse(std::string& out, const core::JobEvent& event) {
  if (event.seq > 0) out.append("id: ").append(std::to_string(event.seq)).append("\n");
  out.append("event: ").append(core::toString(event.kind)).append("\ndata: ");
  JsonWriter json;
  json.beginObject();
  if (event.seq > 0) json.key("seq").number(event.seq);
  json.key("kind").string(core::toString(event.kind));
  json.key("job_id").number(event.job.value);
  json.key("at").time(event.at);
  json.key("state").string(core::toString(event.state));
  json.key("attempt").number(std::int64_t{event.attempt});
  json.key("data");
  native::writeEventData(json, event);
  json.endObject();
  for (const char c : json.take()) {
    // A stored document may have been written with line breaks between its tokens; a frame has none.
    out += c == '\n' || c == '\r' ? ' ' : c;
  }
  out += "\n\n";
}

bool SseHub::flushBlocking(Watcher& watcher) {
  const auto deadline = watcher.replayDeadline();
  std::size_t at = 0;
  while (at < watcher.out.size()) {
    const auto sent = ::send(watcher.fd, watcher.out.data() + at, watcher.out.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      at += static_cast<std::size_t>(sent);
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return false;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd entry{watcher.fd, POLLOUT, 0};
    if (left <= 0 || ::poll(&entry, 1, static_cast<int>(left)) == 0) return false;
  }
  watcher.replayed += watcher.out.size();
  watcher.out.clear();
  return true;
}

std::optional<bool> SseHub::hears(const StreamPlan& plan, core::JobId job) {
  if (!plan.batch.empty()) return owners_.holds(plan.owner, plan.batch, job);
  return plan.owner.empty() ? std::optional(true) : owners_.owns(plan.owner, job);
}

/// Whether there is somebody to read on for, who may, and time left for it.
bool SseHub::worthGoingOn(const Watcher& watcher) const {
  if (stopping_ || std::chrono::steady_clock::now() >= watcher.replayDeadline()) return false;
  const short leaving = watcher.plan.deaf ? 0 : POLLRDHUP;  // deaf: it was us who stopped reading
  pollfd entry{watcher.fd, leaving, 0};
  return ::poll(&entry, 1, 0) == 0 && stillMay(watcher);
}

/// Adds the next page to what is to be sent; `more`: others follow. False: the store cannot say.
bool SseHub::replayPage(Watcher& watcher, bool& ended, std::string& last_event, bool& more) {
  const auto& plan = watcher.plan;
  const bool snapshot = !plan.after;
  store::EventPage page;
  if (plan.owner.empty()) {
    auto events = parts_.jobs.events(watcher.last_seq, plan.job, kReplayPage);
    if (!events) return false;
    page.end = events->size() < static_cast<std::size_t>(kReplayPage);
    page.next = events->empty() ? watcher.last_seq : events->back().seq;
    page.events = *std::move(events);
  } else {
    auto events = parts_.jobs.eventsOfOwner(plan.owner, watcher.last_seq, kReplayPage);
    if (!events) return false;
    page = *std::move(events);
  }
  for (const auto& event : page.events) {
    if (!plan.batch.empty()) {  // nobody lists a batch's events: they are among its owner's
      const auto heard = hears(plan, event.job);
      if (!heard) return false;
      if (!*heard) continue;
    }
    watcher.last_seq = event.seq;
    ended = plan.job && endsJobStream(event);
    if (!snapshot) {
      appendSse(watcher.out, event);
    } else if (!ended) {
      last_event.clear();
    } else if (isEnd(event)) {
      last_event.clear();
      appendSse(last_event, event);
    }
  }
  if (page.next > watcher.last_seq) {
    // Nothing of this caller's up to there: a number without an event, so that it need not be looked at again.
    watcher.last_seq = page.next;
    watcher.out.append("id: ").append(std::to_string(page.next)).append("\n\n");
  }
  more = !page.end;
  return true;
}

bool SseHub::replay(Watcher& watcher) {
  const auto& plan = watcher.plan;
  if (plan.kind == StreamPlan::Kind::Log) {
    watcher.log_offset = plan.after.value_or(0);
    return true;
  }
  if (!plan.after && !plan.batch.empty()) {
    const auto batch = parts_.jobs.batch(plan.batch);
    if (!batch) return false;
    JsonWriter json;
    native::writeBatch(json, *batch);
    watcher.out.append("event: snapshot\ndata: ").append(json.take()).append("\n\n");
    return true;
  }
  if (!plan.after && !plan.job) return true;  // from now on
  const bool snapshot = !plan.after;
  watcher.last_seq = plan.after.value_or(0);
  bool ended = false;
  std::string last_event;
  std::shared_ptr<void> place;
  for (bool more = true;;) {
    if (!replayPage(watcher, ended, last_event, more)) return false;
    if (!more) break;
    // From here on it is a long one: few at once, for they keep their threads. Without a place, or when its time is
    // over, the client has what it got, and comes back with the last number.
    if (!place) place = replays_.take(plan.principal ? plan.principal->id : std::string());
    if (!flushBlocking(watcher) || !place || !worthGoingOn(watcher)) return false;
  }
  if (snapshot) {
    auto job = parts_.jobs.get(*plan.job);
    if (!job) return false;
    if (!ended && watcher.last_seq > 0)
      watcher.out.append("id: ").append(std::to_string(watcher.last_seq)).append("\n");
    watcher.out.append("event: snapshot\ndata: ").append(parts_.render_job(*job)).append("\n\n");
    if (ended) watcher.out += last_event;
    // An end whose event was removed with its history, or one the bus is about to tell.
    ended = ended || (core::isTerminal(job->state) && watcher.last_seq == 0);
  }
  watcher.ending = ended;
  return true;
}

}  // namespace jobhost::api
