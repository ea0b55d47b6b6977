#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "error.h"

namespace cellroute {

/** Set from any thread, polled by the job between stages. */
class CancelFlag {
 public:
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

/** What running work asks between its stages: throws Cancelled, or reports how far it is. */
class JobContext {
 public:
  using Report = std::function<void(const char* stage, double fraction)>;

  JobContext() = default;
  JobContext(std::shared_ptr<CancelFlag> flag, Report report)
      : flag_(std::move(flag)), report_(std::move(report)) {}

  /** `fraction` runs from 0 to 1 over the whole job. */
  void operator()(const char* stage, double fraction) const {
    if (flag_ && flag_->cancelled()) throw Cancelled();
    if (report_) report_(stage, fraction);
  }

 private:
  std::shared_ptr<CancelFlag> flag_;
  Report report_;
};

}  // namespace cellroute
