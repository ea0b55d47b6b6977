#include <memory>
#include <utility>

#include "addon/errors.h"
#include "addon/handle.h"
#include "addon/job.h"
#include "addon/register.h"
#include "engine/admission.h"

namespace cellroute::addon {

template <>
struct TypeTag<Admission::Room> {
  static constexpr napi_type_tag value{0x6d02fb5b1c8e4a37, 0xa94d83e0f75b2c16};
};

namespace {

/** Waits for room; no thread runs it. */
class RoomRequest final : public DeliveredJob {
 public:
  explicit RoomRequest(std::shared_ptr<CancelFlag> cancel) : DeliveredJob(std::move(cancel)) {}

  void admitted(std::shared_ptr<Admission::Room> room) { room_ = std::move(room); }
  void run(const std::vector<std::shared_ptr<Job>>&) override {}
  Napi::Value convert(Napi::Env env) override {
    return Handle<Admission::Room>::make(env, std::move(room_));
  }

 private:
  std::shared_ptr<Admission::Room> room_;
};

uint64_t to_count(const Napi::Value& value) {
  return static_cast<uint64_t>(value.As<Napi::Number>().Int64Value());
}

Napi::Value try_room(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto room = Admission::of_process()->try_hold(to_count(info[0]));
    if (!room) return env.Null();
    return Handle<Admission::Room>::make(env, std::move(room));
  });
}

Napi::Value request_room(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    const auto call = CallOptions::read(env, info[1]);
    auto request = std::make_shared<RoomRequest>(call.cancel);
    const auto promise = DeliveredJob::await(env, call, *request);
    Admission::of_process()->request(
        call.cancel, to_count(info[0]),
        [request](std::shared_ptr<Admission::Room> room, std::exception_ptr failure) {
          request->admitted(std::move(room));
          request->settle(std::move(failure));
        });
    return promise;
  });
}

Napi::Value queue_state(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto limits = Admission::of_process()->limits();
    const auto held = Admission::of_process()->held();
    auto state = Napi::Object::New(env);
    const auto set = [&](const char* name, uint64_t value) {
      state.Set(name, Napi::Number::New(env, static_cast<double>(value)));
    };
    set("maxQueuedBytes", limits.bytes);
    set("maxQueuedCalls", limits.calls);
    set("bytes", held.bytes);
    set("calls", held.calls);
    return state;
  });
}

}  // namespace

void register_admission(Napi::Env env, Napi::Object exports) {
  exports.Set("tryRoom", Napi::Function::New(env, try_room));
  exports.Set("requestRoom", Napi::Function::New(env, request_room));
  exports.Set("releaseRoom", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                Handle<Admission::Room>::release(info.Env(), info[0]);
              }));
  exports.Set("setQueueLimits", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                Admission::of_process()->set_limits({to_count(info[0]), to_count(info[1])});
              }));
  exports.Set("queueState", Napi::Function::New(env, queue_state));
}

}  // namespace cellroute::addon
