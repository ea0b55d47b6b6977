#pragma once

#include <c10/core/Device.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/job.h"

namespace cellroute {

/** A piece of work for a device's owner thread. It owns everything it uses. */
class Job {
 public:
  virtual ~Job() = default;

  /** Jobs waiting with the same key may run as one batch; an empty key runs alone. */
  virtual std::string batch_key() const { return {}; }
  /** What this job adds to a batch, of at most 1 in all. */
  virtual double batch_share() const { return 1.0; }

  /** Begins on the device what run() needs first, on the owner thread, while a job before it waits
   *  for the device: perhaps never, perhaps several times. What goes wrong here is not told: run()
   *  meets it again. */
  virtual void prepare() {}
  /** Drops what prepare() made and run() did not take, on the owner thread, before settle. */
  virtual void drop_prepared() noexcept {}

  /** Does the work, on the owner thread. `batch` holds this job first, then those that joined it.
   */
  virtual void run(const std::vector<std::shared_ptr<Job>>& batch) = 0;

  /** Whether run() changed something for good. Such a job is settled as done even where it was
   *  cancelled meanwhile: whoever hears "cancelled" relies on everything being as it was. */
  virtual bool took_effect() const { return false; }

  /** Whether its products of float32 may be TF32's, on a GPU. */
  virtual bool allows_tf32() const { return false; }

  /** Called once, on the owner thread, after run: `failure` is null where it succeeded. */
  virtual void settle(std::exception_ptr failure) noexcept = 0;

  const std::shared_ptr<CancelFlag>& cancel_flag() const { return cancel_; }

 protected:
  explicit Job(std::shared_ptr<CancelFlag> cancel) : cancel_(std::move(cancel)) {}

 private:
  std::shared_ptr<CancelFlag> cancel_;
};

/** One owner thread per device: every tensor lives and dies there, and only one OpenMP team grows.
 *  Jobs run in the order they came. */
class Engine {
 public:
  /** The process's engine for a device, shared by its environments (worker threads); it ends with
   *  the last of them. `threads` applies to the first caller only. */
  static std::shared_ptr<Engine> of(c10::Device device, int threads);

  explicit Engine(int threads, c10::Device device = c10::kCPU);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void submit(std::shared_ptr<Job> job);
  /** Cancels everything, waits for the thread to end, and cancels whatever is submitted later. The
   *  process may not leave before: LibTorch's statics die under a job that runs. */
  void stop();
  int threads() const { return threads_; }

  /** For a running job whose device computes while the host would wait: has the jobs of about the
   *  next batch prepare, none that is a batch's worth and more. Does nothing on a thread that is no
   * engine's. */
  static void prepare_waiting();

 private:
  void work();
  void enter_device();
  std::exception_ptr run_guarded(const std::vector<std::shared_ptr<Job>>& batch);
  void prepare_next();
  static void settle(Job& job, std::exception_ptr failure);
  void run_batch(const std::vector<std::shared_ptr<Job>>& batch);
  void keep_memory();
  void release_memory();
  std::vector<std::shared_ptr<Job>> take_batch();

  const int threads_;
  const c10::Device device_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> queue_;
  std::vector<std::shared_ptr<Job>> running_;
  bool stopping_ = false;
  bool entered_ = false;  // the owner thread's alone
  std::thread thread_;
};

}  // namespace cellroute
