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

/** A task for the JS thread. Created on any thread, run on the JS thread of its environment. */
class JsTask {
 public:
  virtual ~JsTask() = default;
  virtual void run(Napi::Env env) = 0;
};

/** Posts tasks from any thread to one environment's JS thread. Outlives the environment: tasks for
 *  an environment that ended are dropped. */
class JsQueue {
 public:
  void attach(Napi::Env env);
  /** JS thread: no task runs after this. */
  void close();
  /** Any thread. */
  void post(std::unique_ptr<JsTask> task);
  /** JS thread: whether waiting promises keep the process alive. */
  void keep_alive(Napi::Env env, bool alive);

 private:
  std::mutex mutex_;
  napi_threadsafe_function function_ = nullptr;
};

/** State of an unsettled promise; only the JS thread uses it. */
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
  /** Ends the process's owner threads and background threads: for the main thread, before the
   *  process exits. */
  void stop_engines();
  const std::shared_ptr<JsQueue>& queue() const { return queue_; }

  /** Registers a promise; its task finds it by the id. */
  uint64_t await(Pending pending);
  Pending* find(uint64_t id);
  /** Removes the promise, to settle it. */
  std::unique_ptr<Pending> take(uint64_t id);

 private:
  Napi::Env env_;
  std::shared_ptr<JsQueue> queue_ = std::make_shared<JsQueue>();
  std::unordered_map<std::string, std::shared_ptr<Engine>> engines_;  // by their devices
  Background background_;
  std::unordered_map<uint64_t, std::unique_ptr<Pending>> pending_;
  uint64_t next_id_ = 1;
};

}  // namespace cellroute::addon
