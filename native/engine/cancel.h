#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "error.h"

namespace cellroute {

/** The cancel flag of one call, and the call's position in the order of arrival. A call may run
 *  several jobs, which share the flag. Any thread may use it. */
class CancelFlag {
 public:
  CancelFlag();

  /** Sets the flag and calls the listeners, on this thread. Later calls do nothing. */
  void cancel();
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  /** Position of the call among all calls of the process; lower is earlier. */
  uint64_t arrival() const { return arrival_; }

  /** Calls `listener` when the flag is set; at once if it is set already. */
  void listen(const void* owner, std::function<void()> listener);
  /** Removes the listeners of `owner`. One that is being called may still run. */
  void stop_listening(const void* owner);

 private:
  using Listeners = std::vector<std::pair<const void*, std::function<void()>>>;

  std::atomic<bool> cancelled_{false};
  const uint64_t arrival_;
  std::mutex mutex_;
  Listeners listeners_;
};

/** Whether the work of a thread is still wanted. Parallel loops and long operators ask it between
 *  blocks, so that cancelled work stops within an operator. */
class Cancellation {
 public:
  /** Requested when all of `flags` are set: a batch runs while one of its calls is wanted. */
  explicit Cancellation(std::vector<std::shared_ptr<CancelFlag>> flags)
      : flags_(std::move(flags)) {}

  bool requested() const {
    for (const auto& flag : flags_) {
      if (!flag->cancelled()) return false;
    }
    return !flags_.empty();
  }

  /** This thread's, or null. Threads of a parallel loop do not inherit it: read it before the loop.
   */
  static const Cancellation* current();

 private:
  std::vector<std::shared_ptr<CancelFlag>> flags_;
};

/** Sets this thread's Cancellation for the scope; null makes the scope uninterruptible. */
class CancelScope {
 public:
  explicit CancelScope(const Cancellation* cancellation);
  ~CancelScope();
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;

 private:
  const Cancellation* outer_;
};

/** Throws Cancelled if this thread's work was cancelled. Costs a thread-local read and an atomic
 *  load. */
void throw_if_cancelled();

}  // namespace cellroute
