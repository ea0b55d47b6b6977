#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/engine.h"

namespace cellroute {

/** For long work that never uses torch: each job has its own thread, so it does not delay the
 *  owner thread. libuv's pool is not suitable: an environment that ends waits for its pool work
 *  before it can cancel it. */
class Background {
 public:
  Background() = default;
  ~Background() { stop(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  void submit(const std::shared_ptr<Job>& job);
  /** Cancels all jobs, waits for the threads to end, and cancels every job submitted later. */
  void stop();

 private:
  struct Running {
    explicit Running(std::shared_ptr<Job> started) : job(std::move(started)) {}

    std::shared_ptr<Job> job;
    std::atomic<bool> done{false};
    std::thread thread;
  };

  void join_finished();

  std::mutex mutex_;
  std::list<Running> running_;
  bool stopping_ = false;
};

}  // namespace cellroute
