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

/** A message for the JS thread. Made on any thread, opened on the JS thread of its environment. */
class JsTask {
 public:
  virtual ~JsTask() = default;
  virtual void run(Napi::Env env) = 0;
};

/** The way from the owner thread to one environment's JS thread. Outlives the environment: a task
 *  to one that is gone is dropped. */
class JsQueue {
 public:
  void attach(Napi::Env env);
  /** JS thread: nothing reaches the environment any more. */
  void close();
  /** Any thread. */
  void post(std::unique_ptr<JsTask> task);
  /** JS thread: the process stays alive while something is awaited. */
  void keep_alive(Napi::Env env, bool alive);

 private:
  std::mutex mutex_;
  napi_threadsafe_function function_ = nullptr;
};

/** What a promise waits with; only the JS thread touches it. */
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
  /** Ends the process's owner threads, and the work beside them: for the main thread, when the
   *  process is about to exit. */
  void stop_engines();
  const std::shared_ptr<JsQueue>& queue() const { return queue_; }

  /** Registers a promise; the id finds it again when its task comes. */
  uint64_t await(Pending pending);
  Pending* find(uint64_t id);
  /** Takes it out, to be settled. */
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
