#include <utility>
#include <vector>

#include "addon/arrays.h"
#include "addon/config.h"
#include "addon/errors.h"
#include "addon/image.h"
#include "addon/job.h"
#include "addon/mask.h"
#include "addon/model.h"
#include "addon/read.h"
#include "addon/register.h"
#include "addon/segment.h"
#include "infer/candidates.h"

namespace cellroute::addon {

namespace {

Napi::Value candidates_to_js(Napi::Env env, infer::Candidates& candidates) {
  auto result = Napi::Object::New(env);
  result.Set("boxes", to_typed_array(env, candidates.boxes));
  result.Set("scores", to_typed_array(env, candidates.scores));
  result.Set("labels", to_typed_array(env, candidates.labels));
  result.Set("probabilities", to_typed_array(env, candidates.probabilities));
  result.Set("side", Napi::Number::New(env, static_cast<double>(candidates.side)));
  result.Set("keptBy", to_typed_array(env, candidates.kept_by));
  result.Set("droppedScore", Napi::Number::New(env, candidates.dropped_score));
  result.Set("proposalsCapped", Napi::Boolean::New(env, candidates.proposals_capped));
  return result;
}

Napi::Value find_candidates(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    const Fields options(info[2], "options");
    return submit<infer::Candidates>(
        env, CallOptions::read(env, info[3]),
        [model = Handle<LoadedModel>::get(env, info[0]), image = shared_image(info[1]),
         intensity = read_intensity(options.value("intensity")),
         detect = read_detect_options(options),
         thresholds = options.numbers("nmsThresholds")](const JobContext& poll) {
          return infer::find_candidates(model->plan(), *image, intensity, detect, thresholds, poll);
        },
        candidates_to_js);
  });
}

std::vector<float> read_floats(const Napi::Value& value) {
  const auto array = value.As<Napi::Float32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

Napi::Value cut_masks(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    const Fields candidates(info[0], "candidates");
    const auto side = candidates.integer("side");
    auto boxes = read_floats(candidates.value("boxes"));
    auto probabilities = read_floats(candidates.value("probabilities"));
    if (probabilities.size() != boxes.size() / 4 * static_cast<size_t>(side * side)) {
      throw Error("INVALID_ARGUMENT", "The numbers of boxes and probabilities differ");
    }
    const auto height = info[1].As<Napi::Number>().Uint32Value();
    const auto width = info[2].As<Napi::Number>().Uint32Value();
    const double threshold = info[3].As<Napi::Number>().DoubleValue();
    return submit<std::vector<mask::Rle>>(
        env, CallOptions::read(env, info[4]),
        [boxes = std::move(boxes), probabilities = std::move(probabilities), side, height, width,
         threshold](const JobContext&) {
          return infer::cut_masks(boxes, probabilities, side, height, width, threshold);
        },
        [height, width](Napi::Env env, std::vector<mask::Rle>& masks) {
          return batch_to_js(env, masks, height, width);
        });
  });
}

}  // namespace

void register_candidates(Napi::Env env, Napi::Object exports) {
  exports.Set("findCandidates", Napi::Function::New(env, find_candidates));
  exports.Set("cutMasks", Napi::Function::New(env, cut_masks));
}

}  // namespace cellroute::addon
