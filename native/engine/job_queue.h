#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "engine/job.h"

namespace cellroute {

/** The jobs of one owner thread. Jobs run in the order in which their calls arrived, so that the
 *  second job of an early call runs before the first job of a later call.
 *
 *  A cancelled job is settled at once, on the thread that cancels it, if it waits or if other jobs
 *  of its batch are still wanted. A job that runs alone is settled when it stops. */
class JobQueue : public std::enable_shared_from_this<JobQueue> {
 public:
  /** Adds a job; settles it as cancelled after stop(). */
  void push(std::shared_ptr<Job> job);
  /** Cancels every job, and those that are pushed later. */
  void stop();

  // For the owner thread:

  /** Waits for a job or for stop(); false after `timeout`. */
  bool wait_for(std::chrono::steady_clock::duration timeout);
  void wait();
  /** The earliest waiting job and those that may run with it; empty if nothing waits. They count
   *  as running until finish(). */
  JobBatch take_batch();
  bool stopped();
  /** Settles a running job, unless it was settled when it was cancelled. */
  void settle(const std::shared_ptr<Job>& job, std::exception_ptr failure) noexcept;
  void finish();
  /** Waiting jobs of about the next batch, without those that fill a batch alone. */
  JobBatch next_to_prepare();
  /** Prepared jobs that were cancelled while they waited: what they hold must be freed. */
  JobBatch take_cancelled_prepared();

 private:
  /** Arrival of the call, then order of submission. */
  using Position = std::pair<uint64_t, uint64_t>;
  struct Waiting {
    std::shared_ptr<Job> job;
    bool prepared = false;
  };

  void cancelled(Position position);
  bool has_work() const { return stopping_ || !waiting_.empty(); }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<Position, Waiting> waiting_;
  std::map<Position, std::shared_ptr<Job>> running_;  // those not settled yet
  size_t batch_size_ = 0;
  JobBatch dropped_;
  uint64_t pushed_ = 0;
  bool stopping_ = false;
};

}  // namespace cellroute
