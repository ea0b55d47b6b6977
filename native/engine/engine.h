#pragma once

#include <c10/core/Device.h>

#include <exception>
#include <memory>
#include <thread>

#include "engine/job.h"
#include "engine/job_queue.h"

namespace cellroute {

/** One owner thread per device: every tensor is created and freed there, and only one OpenMP team
 *  grows. */
class Engine {
 public:
  /** The process's engine for a device, shared by its environments (worker threads); it ends with
   *  the last of them. `threads` is read for the first caller only. */
  static std::shared_ptr<Engine> of(c10::Device device, int threads);

  explicit Engine(int threads, c10::Device device = c10::kCPU);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void submit(std::shared_ptr<Job> job);
  /** Cancels all jobs, waits for the thread to end, and cancels every job that is submitted later.
   *  The process must not exit before: a running job uses LibTorch's static objects. */
  void stop();
  int threads() const { return threads_; }

  /** For a running job whose device computes while the host would wait: prepares the jobs of about
   *  the next batch, but none that fills a batch alone. Does nothing on other threads. */
  static void prepare_waiting();

 private:
  void work();
  void enter_device();
  std::exception_ptr run_guarded(const JobBatch& batch);
  void prepare_next();
  void settle(const std::shared_ptr<Job>& job, std::exception_ptr failure);
  void run_batch(const JobBatch& batch);
  void keep_memory();
  void release_memory();

  const int threads_;
  const c10::Device device_;
  const std::shared_ptr<JobQueue> queue_ = std::make_shared<JobQueue>();
  bool entered_ = false;  // only for the owner thread
  std::thread thread_;
};

}  // namespace cellroute
