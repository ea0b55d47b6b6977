#include "engine/job_queue.h"

#include <algorithm>

namespace cellroute {
namespace {

std::exception_ptr cancelled_failure() { return std::make_exception_ptr(Cancelled()); }

}  // namespace

void JobQueue::push(std::shared_ptr<Job> job) {
  const auto flag = job->cancel_flag();
  const void* owner = job.get();
  Position position;
  std::shared_ptr<Job> refused;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      refused = std::move(job);
    } else {
      position = {flag->arrival(), pushed_++};
      waiting_.emplace(position, Waiting{std::move(job)});
      wake_.notify_one();
    }
  }
  if (refused) {
    refused->settle(cancelled_failure());
    return;
  }
  // The listener may outlive the queue, and the job may have run already: then it finds nothing.
  flag->listen(owner, [queue = weak_from_this(), position] {
    if (const auto self = queue.lock()) self->cancelled(position);
  });
}

void JobQueue::cancelled(Position position) {
  std::shared_ptr<Job> job;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = waiting_.find(position); found != waiting_.end()) {
      job = found->second.job;
      // The owner thread frees what it prepared.
      if (found->second.prepared) dropped_.push_back(job);
      waiting_.erase(found);
    } else if (const auto running = running_.find(position);
               running != running_.end() && batch_size_ > 1) {
      job = running->second;
      running_.erase(running);
    }
  }
  if (job) job->settle(cancelled_failure());
}

void JobQueue::stop() {
  JobBatch all;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [position, waiting] : waiting_) all.push_back(waiting.job);
    for (const auto& [position, job] : running_) all.push_back(job);
  }
  // Without the lock: the flags call back.
  for (const auto& job : all) job->cancel_flag()->cancel();
  wake_.notify_one();
}

bool JobQueue::wait_for(std::chrono::steady_clock::duration timeout) {
  std::unique_lock lock(mutex_);
  return wake_.wait_for(lock, timeout, [this] { return has_work(); });
}

void JobQueue::wait() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return has_work(); });
}

bool JobQueue::stopped() {
  const std::lock_guard lock(mutex_);
  return stopping_ && waiting_.empty();
}

JobBatch JobQueue::take_batch() {
  const std::lock_guard lock(mutex_);
  JobBatch batch;
  const auto take = [&](auto entry) {
    batch.push_back(entry->second.job);
    running_.emplace(entry->first, std::move(entry->second.job));
    return waiting_.erase(entry);
  };
  if (!waiting_.empty()) {
    auto next = take(waiting_.begin());
    const auto& first = *batch.front();
    double share = first.batch_share();
    while (next != waiting_.end() && share < 1.0) {
      const auto& job = *next->second.job;
      if (share + job.batch_share() > 1.0 || !first.can_share_batch(job)) {
        ++next;
        continue;
      }
      share += job.batch_share();
      next = take(next);
    }
  }
  batch_size_ = batch.size();
  return batch;
}

void JobQueue::settle(const std::shared_ptr<Job>& job, std::exception_ptr failure) noexcept {
  {
    const std::lock_guard lock(mutex_);
    const auto found =
        std::ranges::find_if(running_, [&](const auto& entry) { return entry.second == job; });
    if (found == running_.end()) return;
    running_.erase(found);
  }
  job->cancel_flag()->stop_listening(job.get());
  job->settle(std::move(failure));
}

void JobQueue::finish() {
  const std::lock_guard lock(mutex_);
  running_.clear();
  batch_size_ = 0;
}

JobBatch JobQueue::next_to_prepare() {
  const std::lock_guard lock(mutex_);
  JobBatch next;
  double share = 0;
  for (auto& [position, waiting] : waiting_) {
    share += waiting.job->batch_share();
    if (share > 1.0) break;
    waiting.prepared = true;
    next.push_back(waiting.job);
  }
  return next;
}

JobBatch JobQueue::take_cancelled_prepared() {
  const std::lock_guard lock(mutex_);
  return std::exchange(dropped_, {});
}

}  // namespace cellroute
