#pragma once

#include <mutex>

namespace jobhost::api {

/// Hears that some credentials ended or can do less than before. Whoever acts for a caller for long asks then whether
/// the caller's still hold (Accounts::again).
class CredentialObserver {
 public:
  virtual ~CredentialObserver() = default;
  /// Called after the change is in force, from any thread, under no lock that again() needs. Must not block.
  virtual void credentialsChanged() = 0;
};

/// The one observer of a part, borrowed until it is taken out. Thread-safety: every method from any thread; after
/// observe(nullptr) the former observer is not called any more.
class ObserverSlot {
 public:
  void observe(CredentialObserver* observer) {
    std::lock_guard lock(mutex_);
    observer_ = observer;
  }
  void tell() const {
    std::lock_guard lock(mutex_);
    if (observer_ != nullptr) observer_->credentialsChanged();
  }

 private:
  mutable std::mutex mutex_;
  CredentialObserver* observer_ = nullptr;
};

}  // namespace jobhost::api
