#include "pool/runner_pool.hpp"

#include <future>
#include <utility>

#include "pool/pool_state.hpp"

namespace jobhost::pool {

RunnerPool::RunnerPool(RunnerPoolOptions options, catalog::Catalog& catalog, AttemptServices* services,
                       const core::Clock& clock)
    : state_(std::make_unique<State>(std::move(options), catalog, services, clock)) {}

RunnerPool::~RunnerPool() = default;

void RunnerPool::setListener(dispatch::RunnerListener* listener) {
  std::promise<void> set;
  state_->loop().post([this, listener, &set] {
    state_->setListener(listener);
    set.set_value();
  });
  set.get_future().wait();
}

void RunnerPool::start(std::vector<dispatch::Assignment> assignments) {
  auto shared = std::make_shared<std::vector<dispatch::Assignment>>(std::move(assignments));
  state_->loop().post([this, shared] { state_->start(std::move(*shared)); });
}

void RunnerPool::stop(core::JobId id, dispatch::StopReason reason) {
  state_->loop().post([this, id, reason] { state_->stop(id, reason); });
}

void RunnerPool::recall(std::vector<core::JobId> ids) {
  state_->loop().post([this, ids = std::move(ids)] { state_->recall(ids); });
}

std::vector<RunnerPool::RunnerStatus> RunnerPool::status() {
  std::promise<std::vector<RunnerStatus>> answer;
  state_->loop().post([this, &answer] { answer.set_value(state_->status()); });
  return answer.get_future().get();
}

void RunnerPool::probe(catalog::GenerationRef generation, std::function<void(core::Result<Probed>)> done) {
  state_->loop().post([this, generation = std::move(generation), done = std::move(done)]() mutable {
    state_->probe(std::move(generation), std::move(done));
  });
}

}  // namespace jobhost::pool
