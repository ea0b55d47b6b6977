#include "engine/cancel.h"

namespace cellroute {
namespace {

thread_local const Cancellation* current_cancellation = nullptr;

uint64_t next_arrival() {
  static std::atomic<uint64_t> count{0};
  return count.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

CancelFlag::CancelFlag() : arrival_(next_arrival()) {}

void CancelFlag::cancel() {
  Listeners listeners;
  {
    const std::lock_guard lock(mutex_);
    cancelled_.store(true, std::memory_order_relaxed);
    listeners.swap(listeners_);
  }
  // Without the lock: a listener takes other locks.
  for (const auto& [owner, listener] : listeners) listener();
}

void CancelFlag::listen(const void* owner, std::function<void()> listener) {
  {
    const std::lock_guard lock(mutex_);
    if (!cancelled()) {
      listeners_.emplace_back(owner, std::move(listener));
      return;
    }
  }
  listener();
}

void CancelFlag::stop_listening(const void* owner) {
  const std::lock_guard lock(mutex_);
  std::erase_if(listeners_, [owner](const auto& entry) { return entry.first == owner; });
}

const Cancellation* Cancellation::current() { return current_cancellation; }

CancelScope::CancelScope(const Cancellation* cancellation) : outer_(current_cancellation) {
  current_cancellation = cancellation;
}

CancelScope::~CancelScope() { current_cancellation = outer_; }

void throw_if_cancelled() {
  if (current_cancellation != nullptr && current_cancellation->requested()) throw Cancelled();
}

}  // namespace cellroute
