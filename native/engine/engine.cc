#include "engine/engine.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <utility>

#include "engine/block_cache.h"

namespace cellroute {

std::shared_ptr<Engine> Engine::cpu(int threads) {
  static std::mutex mutex;
  static std::weak_ptr<Engine> current;
  const std::lock_guard lock(mutex);
  auto engine = current.lock();
  if (!engine) {
    engine = std::make_shared<Engine>(threads);
    current = engine;
  }
  return engine;
}

Engine::Engine(int threads) : threads_(threads), thread_([this] { work(); }) {}

Engine::~Engine() { stop(); }

void Engine::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& job : queue_) job->cancel_flag()->cancel();
    for (const auto& job : running_) job->cancel_flag()->cancel();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Engine::submit(std::shared_ptr<Job> job) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      queue_.push_back(std::move(job));
      wake_.notify_one();
      return;
    }
  }
  job->settle(std::make_exception_ptr(Cancelled()));
}

std::vector<std::shared_ptr<Job>> Engine::take_batch() {
  std::vector<std::shared_ptr<Job>> batch{std::move(queue_.front())};
  queue_.pop_front();
  const auto key = batch.front()->batch_key();
  if (key.empty()) return batch;
  double share = batch.front()->batch_share();
  for (auto it = queue_.begin(); it != queue_.end();) {
    if ((*it)->batch_key() == key && share + (*it)->batch_share() <= 1.0) {
      share += (*it)->batch_share();
      batch.push_back(std::move(*it));
      it = queue_.erase(it);
    } else {
      ++it;
    }
  }
  return batch;
}

namespace {

// How long memory waits for the next job before it goes back to the system.
constexpr std::chrono::seconds kMemoryStays{1};

std::exception_ptr run_guarded(const std::vector<std::shared_ptr<Job>>& batch) {
  try {
    batch.front()->run(batch);
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

std::exception_ptr cancelled() { return std::make_exception_ptr(Cancelled()); }

void run_batch(const std::vector<std::shared_ptr<Job>>& batch) {
  const auto failure = run_guarded(batch);
  if (batch.size() == 1 || !failure) {
    for (const auto& job : batch) {
      const bool in_time = job->cancel_flag()->cancelled() && !job->took_effect();
      job->settle(in_time ? cancelled() : failure);
    }
    return;
  }
  // One bad picture may not spoil the others': each has its own chance and its own error.
  for (const auto& job : batch) {
    job->settle(job->cancel_flag()->cancelled() ? cancelled() : run_guarded({job}));
  }
}

}  // namespace

void Engine::work() {
  // OpenMP counts its threads per calling thread, so it is told here and nowhere else.
  at::set_num_threads(threads_);
  while (true) {
    std::vector<std::shared_ptr<Job>> batch;
    {
      std::unique_lock lock(mutex_);
      const auto wanted = [this] { return stopping_ || !queue_.empty(); };
      if (!wake_.wait_for(lock, kMemoryStays, wanted)) {
        lock.unlock();
        BlockCache::release();
        lock.lock();
        wake_.wait(lock, wanted);
      }
      if (queue_.empty()) break;
      batch = take_batch();
      running_ = batch;
    }
    std::erase_if(batch, [](const std::shared_ptr<Job>& job) {
      if (!job->cancel_flag()->cancelled()) return false;
      job->settle(cancelled());
      return true;
    });
    BlockCache::keep();
    if (!batch.empty()) run_batch(batch);
    const std::lock_guard lock(mutex_);
    running_.clear();
  }
  BlockCache::release();
}

}  // namespace cellroute
