#include "engine/engine.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "engine/block_cache.h"
#include "engine/cuda/gpu.h"
#include "engine/tf32.h"

namespace cellroute {

std::shared_ptr<Engine> Engine::of(c10::Device device, int threads) {
  static std::mutex mutex;
  static std::unordered_map<std::string, std::weak_ptr<Engine>> engines;
  const std::lock_guard lock(mutex);
  auto& current = engines[device.str()];
  auto engine = current.lock();
  if (!engine) {
    engine = std::make_shared<Engine>(threads, device);
    current = engine;
  }
  return engine;
}

Engine::Engine(int threads, c10::Device device)
    : threads_(threads), device_(device), thread_([this] { work(); }) {}

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

std::exception_ptr cancelled() { return std::make_exception_ptr(Cancelled()); }

// The engine whose owner thread this is.
thread_local Engine* own_engine = nullptr;

bool prepared(Job& job) {
  try {
    job.prepare();
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

void Engine::prepare_waiting() {
  if (own_engine != nullptr) own_engine->prepare_next();
}

void Engine::prepare_next() {
  std::vector<std::shared_ptr<Job>> next;
  {
    const std::lock_guard lock(mutex_);
    double share = 0;
    for (const auto& job : queue_) {
      share += job->batch_share();
      if (share > 1.0) break;
      next.push_back(job);
    }
  }
  for (const auto& job : next) {
    if (job->cancel_flag()->cancelled()) continue;
    // What goes wrong, run() meets again, and says it to whom it concerns.
    if (!prepared(*job)) job->drop_prepared();
  }
}

void Engine::settle(Job& job, std::exception_ptr failure) {
  job.drop_prepared();
  job.settle(std::move(failure));
}

std::exception_ptr Engine::run_guarded(const std::vector<std::shared_ptr<Job>>& batch) {
  try {
    std::optional<Tf32> tf32;
    if (device_.is_cuda()) {
      enter_device();
      tf32.emplace(batch.front()->allows_tf32());
    }
    batch.front()->run(batch);
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

void Engine::run_batch(const std::vector<std::shared_ptr<Job>>& batch) {
  const auto failure = run_guarded(batch);
  if (batch.size() == 1 || !failure) {
    for (const auto& job : batch) {
      const bool cancelled_before_effect = job->cancel_flag()->cancelled() && !job->took_effect();
      settle(*job, cancelled_before_effect ? cancelled() : failure);
    }
    return;
  }
  // One bad image may not spoil the others: each has its own chance and its own error. So do
  // images that did not fit into memory together.
  for (const auto& job : batch) {
    settle(*job, job->cancel_flag()->cancelled() ? cancelled() : run_guarded({job}));
  }
}

void Engine::enter_device() {
  if (entered_) return;
  cuda::enter(device_.index());
  entered_ = true;
}

void Engine::keep_memory() {
  if (device_.is_cpu()) BlockCache::keep();
}

void Engine::release_memory() {
  if (device_.is_cpu()) {
    BlockCache::release();
  } else if (entered_) {
    cuda::release_memory(device_.index());
  }
}

void Engine::work() {
  // OpenMP counts its threads per calling thread, so it is set here and nowhere else.
  at::set_num_threads(threads_);
  own_engine = this;
  while (true) {
    std::vector<std::shared_ptr<Job>> batch;
    {
      std::unique_lock lock(mutex_);
      const auto wanted = [this] { return stopping_ || !queue_.empty(); };
      if (!wake_.wait_for(lock, kMemoryStays, wanted)) {
        lock.unlock();
        release_memory();
        lock.lock();
        wake_.wait(lock, wanted);
      }
      if (queue_.empty()) break;
      batch = take_batch();
      running_ = batch;
    }
    std::erase_if(batch, [](const std::shared_ptr<Job>& job) {
      if (!job->cancel_flag()->cancelled()) return false;
      settle(*job, cancelled());
      return true;
    });
    keep_memory();
    if (!batch.empty()) run_batch(batch);
    const std::lock_guard lock(mutex_);
    running_.clear();
  }
  release_memory();
}

}  // namespace cellroute
