#include <utility>
#include <vector>

#include "addon/arrays.h"
#include "addon/config.h"
#include "addon/errors.h"
#include "addon/image.h"
#include "addon/job.h"
#include "addon/model.h"
#include "addon/read.h"
#include "addon/register.h"
#include "addon/segment.h"
#include "infer/probe.h"

namespace cellroute::addon {

namespace {

std::vector<infer::Probe> read_probes(const Napi::Value& value) {
  const auto list = value.As<Napi::Array>();
  std::vector<infer::Probe> probes;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Fields probe(list.Get(i), "probes");
    probes.push_back({.scale = probe.number("scale"),
                      .window = {.x = probe.integer("x"),
                                 .y = probe.integer("y"),
                                 .width = probe.integer("width"),
                                 .height = probe.integer("height")}});
  }
  return probes;
}

Napi::Value probed_to_js(Napi::Env env, std::vector<infer::ProbedBoxes>& found) {
  auto result = Napi::Array::New(env, found.size());
  for (uint32_t i = 0; i < found.size(); ++i) {
    auto one = Napi::Object::New(env);
    one.Set("boxes", to_typed_array(env, found[i].boxes));
    one.Set("scores", to_typed_array(env, found[i].scores));
    result.Set(i, one);
  }
  return result;
}

Napi::Value probe_scales(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    const Fields options(info[2], "options");
    return submit<std::vector<infer::ProbedBoxes>>(
        env, CallOptions::read(env, info[4]),
        [model = Handle<LoadedModel>::get(env, info[0]), image = shared_image(info[1]),
         intensity = read_intensity(options.value("intensity")),
         detect = read_detect_options(options),
         probes = read_probes(info[3])](const JobContext& poll) {
          return infer::probe(model->plan(), *image, intensity, detect, probes, poll);
        },
        probed_to_js);
  });
}

Napi::Value block_contrast(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    return submit<std::vector<float>>(
        env, CallOptions::read(env, info[4]),
        [image = shared_image(info[0]), intensity = read_intensity(info[1]),
         rows = info[2].As<Napi::Number>().Int64Value(),
         columns = info[3].As<Napi::Number>().Int64Value()](const JobContext&) {
          return infer::block_contrast(*image, intensity, rows, columns);
        },
        [](Napi::Env env, std::vector<float>& contrast) -> Napi::Value {
          return to_typed_array(env, contrast);
        });
  });
}

}  // namespace

void register_probe(Napi::Env env, Napi::Object exports) {
  exports.Set("probeScales", Napi::Function::New(env, probe_scales));
  exports.Set("blockContrast", Napi::Function::New(env, block_contrast));
}

}  // namespace cellroute::addon
