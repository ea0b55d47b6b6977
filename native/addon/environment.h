#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/background.h"
#include "engine/engine.h"

namespace cellroute::addon {

/** A task for the JS thread. Created on any thread, runs on the JS thread of its environment. */
class JsTask {
 public:
  virtual ~JsTask() = default;
  virtual void run(Napi::Env env) = 0;
};

/** Posts tasks from any thread to the JS thread of one environment. Outlives the environment; later
 *  tasks are dropped. */
class JsQueue {
 public:
  void attach(Napi::Env env);
  /** JS thread only. No task runs afterwards. */
  void close();
  /** Any thread. */
  void post(std::unique_ptr<JsTask> task);
  /** JS thread only. Sets whether pending promises keep the process alive. */
  void keep_alive(Napi::Env env, bool alive);

 private:
  std::mutex mutex_;
  napi_threadsafe_function function_ = nullptr;
};

/** State of an unsettled promise. Used only by the JS thread. */
struct Pending {
  Napi::Promise::Deferred deferred;
  Napi::FunctionReference on_progress;
  std::shared_ptr<CancelFlag> cancel;
};

/** The addon's state in one environment (the main thread's or a worker's). */
class Environment {
 public:
  explicit Environment(Napi::Env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  Engine& engine(c10::Device device, int threads);
  Background& background() { return background_; }
  /** Ends the owner threads and background threads of the process. Called on the main thread before
   *  the process exits. */
  void stop_engines();
  const std::shared_ptr<JsQueue>& queue() const { return queue_; }

  /** Registers a promise and returns its id, by which its task finds it. */
  uint64_t await(Pending pending);
  Pending* find(uint64_t id);
  /** Removes the promise to settle it. */
  std::unique_ptr<Pending> take(uint64_t id);

 private:
  Napi::Env env_;
  std::shared_ptr<JsQueue> queue_ = std::make_shared<JsQueue>();
  std::unordered_map<std::string, std::shared_ptr<Engine>> engines_;  // by device
  Background background_;
  std::unordered_map<uint64_t, std::unique_ptr<Pending>> pending_;
  uint64_t next_id_ = 1;
};

}  // namespace cellroute::addon
