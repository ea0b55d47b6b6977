#include <ATen/Version.h>
#include <napi.h>
#include <torch/version.h>

#include <string>
#include <vector>

#include "addon/environment.h"
#include "addon/errors.h"
#include "addon/job.h"
#include "addon/register.h"
#include "engine/cuda/gpu.h"
#include "engine/device.h"
#include "infer/mask_rcnn_plan.h"

namespace cellroute::addon {
namespace {

Napi::Value info(const Napi::CallbackInfo& call) {
  const auto env = call.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto result = Napi::Object::New(env);
    result.Set("libtorch", Napi::String::New(env, TORCH_VERSION));
    result.Set("cpuCapability", Napi::String::New(env, at::get_cpu_capability()));
    result.Set("cuda", Napi::Boolean::New(env, cuda::is_built_in()));
    result.Set("bfloat16", Napi::Boolean::New(env, infer::supports_bfloat16()));
    result.Set("int8", Napi::Boolean::New(env, infer::supports_int8()));
    return result;
  });
}

/** The GPUs, and the problem of each. */
struct GpuReport {
  cuda::Gpus gpus;
  std::vector<std::string> problems;
};

GpuReport query_gpus() {
  GpuReport report{.gpus = cuda::find_gpus(), .problems = {}};
  for (size_t i = 0; i < report.gpus.list.size(); ++i) {
    report.problems.push_back(cuda::problem_of(static_cast<int>(i)));
  }
  return report;
}

Napi::Value gpus_to_js(Napi::Env env, GpuReport& report) {
  const auto& [gpus, problems] = report;
  auto list = Napi::Array::New(env, gpus.list.size());
  for (uint32_t i = 0; i < gpus.list.size(); ++i) {
    const auto& gpu = gpus.list[i];
    auto one = Napi::Object::New(env);
    one.Set("name", Napi::String::New(env, gpu.name));
    one.Set("capability",
            Napi::String::New(env, std::to_string(gpu.major) + "." + std::to_string(gpu.minor)));
    one.Set("bytes", Napi::Number::New(env, static_cast<double>(gpu.bytes)));
    one.Set("problem", Napi::String::New(env, problems[i]));
    list.Set(i, one);
  }
  auto result = Napi::Object::New(env);
  result.Set("list", list);
  result.Set("problem", Napi::String::New(env, gpus.problem));
  return result;
}

/** Runs on a background thread, because the first query initialises the driver, which is slow. */
Napi::Value find_gpus(const Napi::CallbackInfo& call) {
  const auto env = call.Env();
  return guarded(env, [&] {
    return submit_background<GpuReport>(
        env, CallOptions::read(env, call[0]), [](const JobContext&) { return query_gpus(); },
        gpus_to_js);
  });
}

Napi::Value resolve_device(const Napi::CallbackInfo& call) {
  const auto env = call.Env();
  return guarded(env, [&] {
    return submit_background<std::string>(
        env, CallOptions::read(env, call[1]),
        [name = call[0].As<Napi::String>().Utf8Value()](const JobContext&) {
          return cellroute::resolve_device(name).str();
        },
        [](Napi::Env js, std::string& name) -> Napi::Value { return Napi::String::New(js, name); });
  });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  stay_loaded();
  env.SetInstanceData<Environment>(new Environment(env));
  exports.Set("info", Napi::Function::New(env, info));
  exports.Set("findGpus", Napi::Function::New(env, find_gpus));
  exports.Set("resolveDevice", Napi::Function::New(env, resolve_device));
  register_jobs(env, exports);
  register_admission(env, exports);
  register_images(env, exports);
  register_mask(env, exports);
  register_measure(env, exports);
  register_metrics(env, exports);
  register_model(env, exports);
  register_segment(env, exports);
  register_candidates(env, exports);
  register_probe(env, exports);
  register_classify(env, exports);
  register_explain(env, exports);
  register_train(env, exports);
  register_train_step(env, exports);
  register_sample(env, exports);
  return exports;
}

}  // namespace
}  // namespace cellroute::addon

static Napi::Object init_addon(Napi::Env env, Napi::Object exports) {
  return cellroute::addon::guarded(
             env, [&]() -> Napi::Value { return cellroute::addon::init(env, exports); })
      .As<Napi::Object>();
}

NODE_API_MODULE(cellroute, init_addon)
