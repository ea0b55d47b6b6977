#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "addon/arrays.h"
#include "addon/config.h"
#include "addon/errors.h"
#include "addon/image.h"
#include "addon/job.h"
#include "addon/mask.h"
#include "addon/mask_batch.h"
#include "addon/read.h"
#include "addon/register.h"
#include "data/sample.h"

namespace cellroute::addon {

namespace {

data::Side read_side(const Fields& side) {
  return {.size = side.integer("size"),
          .origin = side.number("origin"),
          .step = side.number("step"),
          .first = side.number("first"),
          .end = side.number("end")};
}

data::SamplePlan read_plan(const Napi::Value& value) {
  const Fields fields(value, "plan");
  data::SamplePlan plan{.intensity = read_intensity(fields.value("intensity")),
                        .transposed = fields.flag("transposed"),
                        .x = read_side(fields.object("x")),
                        .y = read_side(fields.object("y")),
                        .photometric = {},
                        .fill = static_cast<float>(fields.number("fill")),
                        .min_visible = fields.number("minVisible")};
  for (const auto& factors : fields.objects("photometric")) {
    plan.photometric.push_back({.brightness = static_cast<float>(factors.number("brightness")),
                                .contrast = static_cast<float>(factors.number("contrast")),
                                .gamma = static_cast<float>(factors.number("gamma"))});
  }
  return plan;
}

Napi::Value sample_to_js(Napi::Env env, const data::Sample& sample) {
  auto result = Napi::Object::New(env);
  result.Set("pixels", to_typed_array(env, sample.pixels));
  result.Set("masks", batch_to_js(env, sample.masks, sample.height, sample.width));
  result.Set("kept", to_typed_array(env, sample.kept));
  return result;
}

/** Runs on libuv's thread pool, several at a time, concurrently with the owner thread's step. An
 *  environment that ends waits for its pool work, after which no JS value can be created. */
class SampleWorker final : public Napi::AsyncWorker {
 public:
  SampleWorker(Napi::Env env, io::Image image, std::vector<mask::Rle> masks, data::SamplePlan plan,
               JobContext poll)
      : AsyncWorker(env, "cellroute.prepareSample"),
        deferred_(Napi::Promise::Deferred::New(env)),
        image_(std::move(image)),
        masks_(std::move(masks)),
        plan_(std::move(plan)),
        poll_(std::move(poll)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    try {
      sample_ = data::prepare_sample(image_, mask::views(masks_), plan_, poll_);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  void OnOK() override {
    try {
      if (failure_) {
        deferred_.Reject(to_js_error(Env(), failure_).Value());
      } else {
        deferred_.Resolve(sample_to_js(Env(), sample_));
      }
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    } catch (...) {
      deferred_.Reject(to_js_error(Env(), std::current_exception()).Value());
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  io::Image image_;
  std::vector<mask::Rle> masks_;
  data::SamplePlan plan_;
  JobContext poll_;
  data::Sample sample_;
  std::exception_ptr failure_;
};

Napi::Value prepare_sample(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto call = CallOptions::read(env, info[3]);
    auto worker =
        std::make_unique<SampleWorker>(env, read_image(info[0]), copy_batch(info[1]),
                                       read_plan(info[2]), JobContext(call.cancel, nullptr));
    const auto promise = worker->promise();
    worker->Queue();
    // It deletes itself when it is done.
    [[maybe_unused]] const auto* queued = worker.release();
    return promise;
  });
}

}  // namespace

void register_sample(Napi::Env env, Napi::Object exports) {
  exports.Set("prepareSample", Napi::Function::New(env, prepare_sample));
}

}  // namespace cellroute::addon
