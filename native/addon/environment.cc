#include "addon/environment.h"

#include <utility>

namespace cellroute::addon {

namespace {

void run_task(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<JsTask> task(static_cast<JsTask*>(data));
  // Null if the environment is being torn down: the task is dropped.
  if (env == nullptr) return;
  const Napi::HandleScope scope(env);
  try {
    task->run(env);
  } catch (const Napi::Error&) {
    // A worker that is being terminated does not run JavaScript.
    return;
  }
}

}  // namespace

void JsQueue::attach(Napi::Env env) {
  napi_value name = Napi::String::New(env, "cellroute");
  // No queue limit: the owner thread posts tasks and must never wait for a JS thread.
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr,
                                      run_task, &function_) != napi_ok) {
    throw Napi::Error::New(env, "cellroute: cannot create a thread-safe function");
  }
  napi_unref_threadsafe_function(env, function_);
}

void JsQueue::close() {
  const std::lock_guard lock(mutex_);
  if (function_ == nullptr) return;
  napi_release_threadsafe_function(function_, napi_tsfn_abort);
  function_ = nullptr;
}

void JsQueue::post(std::unique_ptr<JsTask> task) {
  const std::lock_guard lock(mutex_);
  if (function_ == nullptr) return;
  if (napi_call_threadsafe_function(function_, task.get(), napi_tsfn_nonblocking) == napi_ok) {
    [[maybe_unused]] const auto* posted = task.release();
  }
}

void JsQueue::keep_alive(Napi::Env env, bool alive) {
  const std::lock_guard lock(mutex_);
  if (function_ == nullptr) return;
  if (alive) {
    napi_ref_threadsafe_function(env, function_);
  } else {
    napi_unref_threadsafe_function(env, function_);
  }
}

Environment::Environment(Napi::Env env) : env_(env) {
  queue_->attach(env);
  env.AddCleanupHook([queue = queue_, this] {
    queue->close();
    for (const auto& [id, pending] : pending_) pending->cancel->cancel();
  });
}

Environment::~Environment() = default;

Engine& Environment::engine(c10::Device device, int threads) {
  auto& engine = engines_[device.str()];
  if (!engine) engine = Engine::of(device, threads);
  return *engine;
}

void Environment::stop_engines() {
  background_.stop();
  for (const auto& [device, engine] : engines_) engine->stop();
}

uint64_t Environment::await(Pending pending) {
  const auto id = next_id_++;
  pending_.emplace(id, std::make_unique<Pending>(std::move(pending)));
  if (pending_.size() == 1) queue_->keep_alive(env_, true);
  return id;
}

Pending* Environment::find(uint64_t id) {
  const auto it = pending_.find(id);
  return it == pending_.end() ? nullptr : it->second.get();
}

std::unique_ptr<Pending> Environment::take(uint64_t id) {
  const auto it = pending_.find(id);
  if (it == pending_.end()) return nullptr;
  auto pending = std::move(it->second);
  pending_.erase(it);
  if (pending_.empty()) queue_->keep_alive(env_, false);
  return pending;
}

}  // namespace cellroute::addon
