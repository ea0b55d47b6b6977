#include "addon/job.h"

#include "addon/errors.h"
#include "addon/register.h"
#include "engine/device.h"

namespace cellroute::addon {

namespace {

constexpr auto kReportEvery = std::chrono::milliseconds(50);

class SettleTask final : public JsTask {
 public:
  SettleTask(uint64_t id, std::shared_ptr<DeliveredJob> job, std::exception_ptr failure)
      : id_(id), job_(std::move(job)), failure_(std::move(failure)) {}

  void run(Napi::Env env) override {
    const auto pending = Environment::of(env).take(id_);
    if (!pending) return;
    try {
      if (failure_) {
        pending->deferred.Reject(to_js_error(env, failure_).Value());
      } else {
        pending->deferred.Resolve(job_->convert(env));
      }
    } catch (const Napi::Error& error) {
      pending->deferred.Reject(error.Value());
    } catch (...) {
      pending->deferred.Reject(to_js_error(env, std::current_exception()).Value());
    }
  }

 private:
  uint64_t id_;
  std::shared_ptr<DeliveredJob> job_;
  std::exception_ptr failure_;
};

class ProgressTask final : public JsTask {
 public:
  ProgressTask(uint64_t id, std::string stage, double fraction)
      : id_(id), stage_(std::move(stage)), fraction_(fraction) {}

  void run(Napi::Env env) override {
    auto* pending = Environment::of(env).find(id_);
    if (pending == nullptr || pending->on_progress.IsEmpty()) return;
    // The SDK's listener catches the caller's exceptions, so nothing is thrown here.
    try {
      pending->on_progress.Call(
          {Napi::String::New(env, stage_), Napi::Number::New(env, fraction_)});
    } catch (const Napi::Error&) {
      pending->cancel->cancel();
    }
  }

 private:
  uint64_t id_;
  std::string stage_;
  double fraction_;
};

}  // namespace

CallOptions CallOptions::read(Napi::Env env, const Napi::Value& value) {
  CallOptions options;
  const auto object = value.As<Napi::Object>();
  options.threads = object.Get("threads").As<Napi::Number>().Int32Value();
  const auto device = object.Get("device");
  if (device.IsString()) options.device = device_from_name(device.As<Napi::String>().Utf8Value());
  options.tf32 = object.Get("tf32").ToBoolean().Value();
  const auto cancel = object.Get("cancel");
  options.cancel =
      cancel.IsUndefined() ? std::make_shared<CancelFlag>() : Handle<CancelFlag>::get(env, cancel);
  const auto on_progress = object.Get("onProgress");
  if (on_progress.IsFunction()) options.on_progress = on_progress.As<Napi::Function>();
  return options;
}

void register_jobs(Napi::Env env, Napi::Object exports) {
  exports.Set("createCancel", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                return Handle<CancelFlag>::make(info.Env(), std::make_shared<CancelFlag>());
              }));
  exports.Set("cancel", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                Handle<CancelFlag>::get(info.Env(), info[0])->cancel();
              }));
  exports.Set("stopEngine", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                Environment::of(info.Env()).stop_engines();
              }));
}

Napi::Value DeliveredJob::submit(Napi::Env env, const CallOptions& options,
                                 std::shared_ptr<DeliveredJob> job) {
  job->tf32_ = options.tf32;
  const auto promise = job->await(env, options);
  Environment::of(env).engine(options.device, options.threads).submit(std::move(job));
  return promise;
}

Napi::Value DeliveredJob::submit_background(Napi::Env env, const CallOptions& options,
                                            const std::shared_ptr<DeliveredJob>& job) {
  const auto promise = job->await(env, options);
  Environment::of(env).background().submit(job);
  return promise;
}

/** Creates the promise that the job's SettleTask settles. */
Napi::Value DeliveredJob::await(Napi::Env env, const CallOptions& options) {
  auto& environment = Environment::of(env);
  Pending pending{Napi::Promise::Deferred::New(env), {}, options.cancel};
  has_listener_ = !options.on_progress.IsEmpty();
  if (has_listener_) pending.on_progress = Napi::Persistent(options.on_progress);
  const auto promise = pending.deferred.Promise();
  queue_ = environment.queue();
  id_ = environment.await(std::move(pending));
  return promise;
}

// A task needs a few bytes; without memory for it, the process cannot continue.
// NOLINTNEXTLINE(bugprone-exception-escape)
void DeliveredJob::settle(std::exception_ptr failure) noexcept {
  queue_->post(std::make_unique<SettleTask>(id_, shared_from_this(), std::move(failure)));
}

JobContext DeliveredJob::poll() {
  if (!has_listener_) return JobContext(cancel_flag(), nullptr);
  return JobContext(cancel_flag(), [this](const char* stage, double fraction) {
    const auto now = std::chrono::steady_clock::now();
    if (fraction < 1.0 && now - last_report_ < kReportEvery) return;
    last_report_ = now;
    queue_->post(std::make_unique<ProgressTask>(id_, stage, fraction));
  });
}

}  // namespace cellroute::addon
