#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/engine.h"

namespace cellroute {

/** For long work that never touches torch: each job has a thread of its own, beside the owner
 *  thread, whose step it does not hold up. libuv's pool would not do: an environment that ends
 *  waits for its pool work before it can cancel it. */
class Background {
 public:
  Background() = default;
  ~Background() { stop(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  void submit(const std::shared_ptr<Job>& job);
  /** Cancels everything, waits for the threads to end, and cancels whatever is submitted later. */
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
