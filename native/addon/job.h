#pragma once

#include <napi.h>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "addon/environment.h"
#include "addon/handle.h"

namespace cellroute::addon {

template <>
struct TypeTag<CancelFlag> {
  static constexpr napi_type_tag value{0x2f1d5c0b6a8e4e57, 0x9d3b7c41f0a2d861};
};

/** Last argument of every asynchronous function: {cancel?, onProgress?, threads, device, tf32}. */
struct CallOptions {
  static CallOptions read(Napi::Env env, const Napi::Value& value);

  std::shared_ptr<CancelFlag> cancel;
  Napi::Function on_progress;
  int threads = 1;
  /** Device whose owner thread runs the job: that of the handles it uses. */
  c10::Device device = c10::kCPU;
  bool tf32 = false;
};

/** A job that settles a promise. Its result is converted to a JS value on the JS thread of its
 *  environment. */
class DeliveredJob : public Job, public std::enable_shared_from_this<DeliveredJob> {
 public:
  void settle(std::exception_ptr failure) noexcept final;
  bool allows_tf32() const final { return tf32_; }

  /** Called on the JS thread after success. */
  virtual Napi::Value convert(Napi::Env env) = 0;

  /** Submits the job to the engine. The promise settles when the job is done. */
  static Napi::Value submit(Napi::Env env, const CallOptions& options,
                            std::shared_ptr<DeliveredJob> job);
  /** Submits the job to a new thread, for work that does not use torch. */
  static Napi::Value submit_background(Napi::Env env, const CallOptions& options,
                                       const std::shared_ptr<DeliveredJob>& job);
  /** Creates the promise of a job that is settled by other means. */
  static Napi::Value await(Napi::Env env, const CallOptions& options, DeliveredJob& job) {
    return job.await(env, options);
  }

 protected:
  explicit DeliveredJob(std::shared_ptr<CancelFlag> cancel) : Job(std::move(cancel)) {}

  /** For the work: throws when cancelled; reports progress at most every 50 ms if there is a
   * listener. */
  JobContext poll();

 private:
  Napi::Value await(Napi::Env env, const CallOptions& options);

  std::shared_ptr<JsQueue> queue_;
  uint64_t id_ = 0;
  bool has_listener_ = false;
  bool tf32_ = false;
  std::chrono::steady_clock::time_point last_report_;
};

/** A job of two functions: the work, on the owner thread, and the conversion of its result, on the
 *  JS thread. */
template <typename Result>
class FunctionJob final : public DeliveredJob {
 public:
  using Work = std::function<Result(const JobContext&)>;
  using Convert = std::function<Napi::Value(Napi::Env, Result&)>;

  FunctionJob(std::shared_ptr<CancelFlag> cancel, Work work, Convert convert, bool changes)
      : DeliveredJob(std::move(cancel)),
        work_(std::move(work)),
        convert_(std::move(convert)),
        changes_(changes) {}

  bool took_effect() const override { return changes_ && result_.has_value(); }
  void run(const std::vector<std::shared_ptr<Job>>&) override { result_ = work_(poll()); }
  Napi::Value convert(Napi::Env env) override {
    // Only a successful job is converted, and it has a result.
    return result_ ? convert_(env, *result_) : env.Undefined();
  }

 private:
  Work work_;
  Convert convert_;
  bool changes_;
  std::optional<Result> result_;
};

template <typename Result>
Napi::Value submit(Napi::Env env, const CallOptions& options,
                   typename FunctionJob<Result>::Work work,
                   typename FunctionJob<Result>::Convert convert) {
  return DeliveredJob::submit(
      env, options,
      std::make_shared<FunctionJob<Result>>(options.cancel, std::move(work), std::move(convert),
                                            /*changes=*/false));
}

/** As submit, on a new thread, for work that does not use torch. */
template <typename Result>
Napi::Value submit_background(Napi::Env env, const CallOptions& options,
                              typename FunctionJob<Result>::Work work,
                              typename FunctionJob<Result>::Convert convert) {
  return DeliveredJob::submit_background(
      env, options,
      std::make_shared<FunctionJob<Result>>(options.cancel, std::move(work), std::move(convert),
                                            /*changes=*/false));
}

/** As submit, for work that changes its object: once it is done, it is not reported as cancelled.
 */
template <typename Result>
Napi::Value submit_mutating(Napi::Env env, const CallOptions& options,
                            typename FunctionJob<Result>::Work work,
                            typename FunctionJob<Result>::Convert convert) {
  return DeliveredJob::submit(
      env, options,
      std::make_shared<FunctionJob<Result>>(options.cancel, std::move(work), std::move(convert),
                                            /*changes=*/true));
}

}  // namespace cellroute::addon
