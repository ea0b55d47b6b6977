#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "engine/cancel.h"
#include "error.h"

namespace cellroute {

/** What running work calls between its stages: throws Cancelled, or reports progress. */
class JobContext {
 public:
  using Report = std::function<void(const char* stage, double fraction)>;

  JobContext() = default;
  JobContext(std::shared_ptr<CancelFlag> flag, Report report)
      : flag_(std::move(flag)), report_(std::move(report)) {}

  /** `fraction` runs from 0 to 1 over the whole job. */
  void operator()(const char* stage, double fraction) const {
    if (flag_ && flag_->cancelled()) throw Cancelled();
    throw_if_cancelled();
    if (report_) report_(stage, fraction);
  }

 private:
  std::shared_ptr<CancelFlag> flag_;
  Report report_;
};

/** A piece of work for a device's owner thread. It owns everything it uses. */
class Job {
 public:
  virtual ~Job() = default;

  /** Whether a waiting job may run in one batch with this one. */
  virtual bool can_share_batch(const Job& /*other*/) const { return false; }
  /** What this job adds to a batch, of at most 1 in all. */
  virtual double batch_share() const { return 1.0; }

  /** Starts on the device what run() needs first, on the owner thread, while an earlier job waits
   *  for the device. It may never be called, or several times. Its failures are ignored: run()
   *  meets them again. */
  virtual void prepare() {}
  /** Frees what prepare() made and run() did not use, on the owner thread. */
  virtual void drop_prepared() noexcept {}

  /** Does the work, on the owner thread. `batch` holds this job first, then those that joined it.
   */
  virtual void run(const std::vector<std::shared_ptr<Job>>& batch) = 0;

  /** Whether run() changed something for good. Such a job is settled as done even if it was
   *  cancelled meanwhile: a caller that receives "cancelled" relies on nothing having changed. */
  virtual bool took_effect() const { return false; }

  /** Whether its float32 products may be computed in TF32, on a GPU. */
  virtual bool allows_tf32() const { return false; }

  /** Called once, on the owner thread or on the thread that cancelled the job. `failure` is null if
   *  the job succeeded. */
  virtual void settle(std::exception_ptr failure) noexcept = 0;

  const std::shared_ptr<CancelFlag>& cancel_flag() const { return cancel_; }

 protected:
  explicit Job(std::shared_ptr<CancelFlag> cancel) : cancel_(std::move(cancel)) {}

 private:
  std::shared_ptr<CancelFlag> cancel_;
};

using JobBatch = std::vector<std::shared_ptr<Job>>;

}  // namespace cellroute
