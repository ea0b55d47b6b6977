#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "addon/arrays.h"
#include "addon/errors.h"
#include "addon/image.h"
#include "addon/job.h"
#include "addon/mask_batch.h"
#include "addon/read.h"
#include "addon/register.h"
#include "measure/intensity.h"
#include "measure/neighbors.h"
#include "measure/shape.h"

namespace cellroute::addon {

namespace {

struct MeasuredShapes {
  measure::Shapes shapes;
  std::vector<double> neighbors;
};

MeasuredShapes shapes_of(const mask::MaskSet& masks, uint64_t threads, const JobContext& poll) {
  const auto views = masks.checked_views();
  MeasuredShapes measured{
      .shapes = measure::measure_shapes(views, threads,
                                        [&](double fraction) { poll("measure", fraction / 2); }),
      .neighbors = {}};
  measured.neighbors = measure::count_neighbors(
      views, threads, [&](double fraction) { poll("measure", (1 + fraction) / 2); });
  return measured;
}

Napi::Value shapes_to_js(Napi::Env env, MeasuredShapes& measured) {
  auto result = Napi::Object::New(env);
  for (size_t i = 0; i < measure::kQuantities; ++i) {
    result.Set(std::string(measure::kQuantityNames[i]), to_typed_array(env, measured.shapes[i]));
  }
  result.Set("neighbors", to_typed_array(env, measured.neighbors));
  return result;
}

Napi::Value intensities_to_js(Napi::Env env, measure::Intensities& measured) {
  auto result = Napi::Object::New(env);
  result.Set("channels", Napi::Number::New(env, measured.channels));
  result.Set("mean", to_typed_array(env, measured.mean));
  result.Set("min", to_typed_array(env, measured.min));
  result.Set("max", to_typed_array(env, measured.max));
  result.Set("sum", to_typed_array(env, measured.sum));
  result.Set("squares", to_typed_array(env, measured.squares));
  result.Set("count", to_typed_array(env, measured.count));
  return result;
}

Napi::Value measure_shapes(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto call = CallOptions::read(env, info[1]);
    auto masks = std::make_shared<mask::MaskSet>(copy_mask_set(info[0]));
    return submit_background<MeasuredShapes>(
        env, call,
        [masks, threads = static_cast<uint64_t>(call.threads)](const JobContext& poll) {
          return shapes_of(*masks, threads, poll);
        },
        shapes_to_js);
  });
}

Napi::Value measure_intensities(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto call = CallOptions::read(env, info[3]);
    const Fields place(info[2], "origin");
    const measure::Origin origin{static_cast<uint32_t>(place.integer("x")),
                                 static_cast<uint32_t>(place.integer("y"))};
    auto masks = std::make_shared<mask::MaskSet>(copy_mask_set(info[0]));
    return submit_background<measure::Intensities>(
        env, call,
        [masks, origin, image = shared_image(info[1]),
         threads = static_cast<uint64_t>(call.threads)](const JobContext& poll) {
          return measure::measure_intensities(masks->checked_views(), *image, origin, threads,
                                              [&](double fraction) { poll("measure", fraction); });
        },
        intensities_to_js);
  });
}

}  // namespace

void register_measure(Napi::Env env, Napi::Object exports) {
  exports.Set("measureShapes", Napi::Function::New(env, measure_shapes));
  exports.Set("measureIntensities", Napi::Function::New(env, measure_intensities));
}

}  // namespace cellroute::addon
