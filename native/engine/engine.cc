#include "engine/engine.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/block_cache.h"
#include "engine/cancel.h"
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
  queue_->stop();
  if (thread_.joinable()) thread_.join();
}

void Engine::submit(std::shared_ptr<Job> job) { queue_->push(std::move(job)); }

namespace {

// How long memory is kept for the next job before it is returned to the system.
constexpr std::chrono::seconds kMemoryRetention{1};

std::exception_ptr cancelled() { return std::make_exception_ptr(Cancelled()); }

// The engine whose owner thread is this thread.
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
  for (const auto& job : queue_->next_to_prepare()) {
    if (job->cancel_flag()->cancelled()) continue;
    // run() repeats the failure and reports it.
    if (!prepared(*job)) job->drop_prepared();
  }
}

void Engine::settle(const std::shared_ptr<Job>& job, std::exception_ptr failure) {
  job->drop_prepared();
  queue_->settle(job, std::move(failure));
}

std::exception_ptr Engine::run_guarded(const JobBatch& batch) {
  std::vector<std::shared_ptr<CancelFlag>> flags;
  for (const auto& job : batch) flags.push_back(job->cancel_flag());
  const Cancellation cancellation(std::move(flags));
  const CancelScope scope(&cancellation);
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

void Engine::run_batch(const JobBatch& batch) {
  const auto failure = run_guarded(batch);
  if (batch.size() == 1 || !failure) {
    for (const auto& job : batch) {
      const bool cancelled_before_effect = job->cancel_flag()->cancelled() && !job->took_effect();
      settle(job, cancelled_before_effect ? cancelled() : failure);
    }
    return;
  }
  // One bad image must not fail the others, so each job runs again alone and gets its own error.
  // The same is done if the images together do not fit into memory.
  for (const auto& job : batch) {
    settle(job, job->cancel_flag()->cancelled() ? cancelled() : run_guarded({job}));
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
  // OpenMP has a thread count per calling thread, so it is set here and nowhere else.
  at::set_num_threads(threads_);
  own_engine = this;
  while (true) {
    if (!queue_->wait_for(kMemoryRetention)) {
      release_memory();
      queue_->wait();
    }
    auto batch = queue_->take_batch();
    if (batch.empty()) {
      if (queue_->stopped()) break;
      continue;
    }
    std::erase_if(batch, [this](const std::shared_ptr<Job>& job) {
      if (!job->cancel_flag()->cancelled()) return false;
      settle(job, cancelled());
      return true;
    });
    keep_memory();
    if (!batch.empty()) run_batch(batch);
    queue_->finish();
    for (const auto& job : queue_->take_cancelled_prepared()) job->drop_prepared();
  }
  release_memory();
}

}  // namespace cellroute
