#include "api/places.hpp"

namespace jobhost::api {

Places::Room Places::roomIn(const State& state, const std::string& caller) {
  const auto own = state.by_caller.find(caller);
  if (own != state.by_caller.end() && own->second >= state.each) return Room::CallerFull;
  return state.taken >= state.all ? Room::Full : Room::Free;
}

Places::Room Places::room(const std::string& caller) const {
  std::lock_guard lock(state_->mutex);
  return roomIn(*state_, caller);
}

std::shared_ptr<void> Places::take(const std::string& caller) {
  struct Place {
    std::shared_ptr<State> state;
    std::string caller;
    Place(std::shared_ptr<State> where, std::string whose) : state(std::move(where)), caller(std::move(whose)) {}
    ~Place() {
      std::lock_guard lock(state->mutex);
      --state->taken;
      const auto own = state->by_caller.find(caller);
      if (--own->second == 0) state->by_caller.erase(own);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
  };
  std::lock_guard lock(state_->mutex);
  if (roomIn(*state_, caller) != Room::Free) return nullptr;
  ++state_->taken;
  ++state_->by_caller[caller];
  return std::make_shared<Place>(state_, caller);
}

}  // namespace jobhost::api
