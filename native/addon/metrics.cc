#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "addon/arrays.h"
#include "addon/errors.h"
#include "addon/job.h"
#include "addon/mask_batch.h"
#include "addon/read.h"
#include "addon/register.h"
#include "metrics/bootstrap.h"
#include "metrics/evaluate.h"

namespace cellroute::addon {

namespace {

template <typename T>
std::vector<T> copied(const Fields& fields, const char* name) {
  const auto values = typed_array<T>(fields.value(name), name);
  return {values.begin(), values.end()};
}

void check_length(size_t length, size_t expected, const char* name) {
  if (length == expected) return;
  throw Error("INVALID_ARGUMENT", "Expected " + std::to_string(expected) + " numbers for " + name +
                                      " but received " + std::to_string(length));
}

metrics::Image read_evaluated_image(const Fields& fields) {
  metrics::Image image{.ground_truth = copy_mask_set(fields.value("groundTruth")),
                       .predicted = copy_mask_set(fields.value("predicted")),
                       .ground_truth_labels = copied<int32_t>(fields, "groundTruthLabels"),
                       .labels = copied<int32_t>(fields, "labels"),
                       .scores = copied<double>(fields, "scores"),
                       .crowd = copied<uint8_t>(fields, "crowd"),
                       .ground_truth_boxes = copied<double>(fields, "groundTruthBoxes"),
                       .boxes = copied<double>(fields, "boxes"),
                       .ground_truth_areas = copied<double>(fields, "groundTruthAreas"),
                       .areas = copied<double>(fields, "areas")};
  const size_t ground_truths = image.ground_truth.size(), predictions = image.predicted.size();
  if (image.ground_truth.height != image.predicted.height ||
      image.ground_truth.width != image.predicted.width) {
    throw Error("INVALID_ARGUMENT", "Masks of different image sizes cannot be compared");
  }
  check_length(image.ground_truth_labels.size(), ground_truths, "groundTruthLabels");
  check_length(image.labels.size(), predictions, "labels");
  check_length(image.scores.size(), predictions, "scores");
  const auto check_optional = [](size_t length, size_t expected, const char* name) {
    if (length > 0) check_length(length, expected, name);
  };
  check_optional(image.crowd.size(), ground_truths, "crowd");
  check_optional(image.ground_truth_boxes.size(), 4 * ground_truths, "groundTruthBoxes");
  check_optional(image.boxes.size(), 4 * predictions, "boxes");
  check_optional(image.ground_truth_areas.size(), ground_truths, "groundTruthAreas");
  check_optional(image.areas.size(), predictions, "areas");
  return image;
}

std::vector<std::vector<uint32_t>> read_groups(const Napi::Value& value, size_t images) {
  if (!value.IsArray()) throw Error("INVALID_ARGUMENT", "groups is not an array");
  const auto items = value.As<Napi::Array>();
  std::vector<std::vector<uint32_t>> groups;
  for (uint32_t i = 0; i < items.Length(); ++i) {
    const Napi::Value item = items.Get(i);
    const auto group = typed_array<uint32_t>(item, "groups");
    for (const uint32_t image : group) {
      if (image >= images) throw Error("INVALID_ARGUMENT", "groups has an unknown image");
    }
    groups.emplace_back(group.begin(), group.end());
  }
  return groups;
}

metrics::Options read_metric_options(const Fields& options, int threads) {
  return {.rule = {.min_score = options.number("minScore"),
                   .max_lost = options.has("maxLost") ? std::optional(options.number("maxLost"))
                                                      : std::nullopt},
          .iou = options.number("iou"),
          .max_dets = options.has("maxDets") ? static_cast<uint64_t>(options.integer("maxDets"))
                                             : std::numeric_limits<uint64_t>::max(),
          .samples = static_cast<uint32_t>(options.integer("samples")),
          .seed = static_cast<uint64_t>(options.integer("seed")),
          .confidence = options.number("confidence"),
          .threads = static_cast<uint64_t>(threads)};
}

Napi::Value summary_to_js(Napi::Env env, const metrics::Summary& summary) {
  auto result = Napi::Object::New(env);
  for (size_t i = 0; i < metrics::kMetrics; ++i) {
    result.Set(std::string(metrics::kMetricNames[i]), Napi::Number::New(env, summary[i]));
  }
  return result;
}

/** A column of a table: one number per image. */
template <typename T, typename Of>
Napi::Value column(Napi::Env env, const std::vector<metrics::SegmentScores>& images, Of of) {
  std::vector<T> values;
  values.reserve(images.size());
  for (const auto& image : images) values.push_back(of(image));
  return to_typed_array(env, values);
}

Napi::Value images_to_js(Napi::Env env, const metrics::Evaluation& evaluation) {
  using Scores = metrics::SegmentScores;
  const auto& images = evaluation.images;
  auto result = Napi::Object::New(env);
  const auto add = [&]<typename T>(const char* name, T Scores::* member) {
    result.Set(name, column<T>(env, images, [&](const Scores& one) { return one.*member; }));
  };
  add("groundTruths", &Scores::ground_truths);
  add("predictions", &Scores::predictions);
  add("truePositives", &Scores::true_positives);
  add("falsePositives", &Scores::false_positives);
  add("falseNegatives", &Scores::false_negatives);
  add("kaggle", &Scores::kaggle);
  add("aji", &Scores::aji);
  result.Set("pq", to_typed_array(env, evaluation.image_pq));
  std::vector<double> precision;
  precision.reserve(images.size() * metrics::kThresholds);
  for (const auto& one : images) {
    precision.insert(precision.end(), one.precision.begin(), one.precision.end());
  }
  result.Set("precision", to_typed_array(env, precision));
  return result;
}

Napi::Value evaluation_to_js(Napi::Env env, const metrics::Evaluation& evaluation) {
  auto result = Napi::Object::New(env);
  result.Set("images", images_to_js(env, evaluation));
  auto groups = Napi::Array::New(env, evaluation.groups.size());
  for (uint32_t i = 0; i < evaluation.groups.size(); ++i) {
    const auto& group = evaluation.groups[i];
    auto object = Napi::Object::New(env);
    object.Set("summary", summary_to_js(env, group.summary));
    if (group.interval) {
      object.Set("low", summary_to_js(env, group.interval->low));
      object.Set("high", summary_to_js(env, group.interval->high));
    }
    groups.Set(i, object);
  }
  result.Set("groups", groups);
  auto classes = Napi::Array::New(env, evaluation.classes.size());
  for (uint32_t i = 0; i < evaluation.classes.size(); ++i) {
    const auto& own = evaluation.classes[i];
    auto object = Napi::Object::New(env);
    object.Set("label", Napi::Number::New(env, own.label));
    object.Set("groundTruths", Napi::Number::New(env, static_cast<double>(own.ground_truths)));
    object.Set("summary", summary_to_js(env, own.summary));
    classes.Set(i, object);
  }
  result.Set("classes", classes);
  return result;
}

struct Request {
  std::vector<metrics::Image> images;
  std::vector<std::vector<uint32_t>> groups;
  metrics::Options options;
};

Napi::Value evaluate_masks(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto call = CallOptions::read(env, info[3]);
    if (!info[0].IsArray()) throw Error("INVALID_ARGUMENT", "images is not an array");
    const auto items = info[0].As<Napi::Array>();
    auto request = std::make_shared<Request>();
    for (uint32_t i = 0; i < items.Length(); ++i) {
      const Napi::HandleScope scope(env);
      const Napi::Value item = items.Get(i);
      request->images.push_back(
          read_evaluated_image(Fields(item, "images[" + std::to_string(i) + "]")));
    }
    request->groups = read_groups(info[1], request->images.size());
    request->options = read_metric_options(Fields(info[2], "options"), call.threads);
    return submit_background<metrics::Evaluation>(
        env, call,
        [request](const JobContext& poll) {
          return metrics::evaluate(request->images, request->groups, request->options,
                                   [&](double fraction) { poll("evaluate", fraction); });
        },
        [](Napi::Env to, metrics::Evaluation& evaluation) {
          return evaluation_to_js(to, evaluation);
        });
  });
}

/** Bootstrap of means needs no tensors and takes milliseconds, so it runs on the calling thread. */
Napi::Value bootstrap_mean(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto values = typed_array<double>(info[0], "values");
    const Fields options(info[1], "options");
    const auto [low, high] =
        metrics::bootstrap_mean({values.data(), values.size()},
                                {.samples = static_cast<uint32_t>(options.integer("samples")),
                                 .seed = static_cast<uint64_t>(options.integer("seed")),
                                 .confidence = options.number("confidence"),
                                 .threads = 1});
    auto result = Napi::Array::New(env, 2);
    result.Set(0U, Napi::Number::New(env, low));
    result.Set(1U, Napi::Number::New(env, high));
    return result;
  });
}

}  // namespace

void register_metrics(Napi::Env env, Napi::Object exports) {
  exports.Set("evaluateMasks", Napi::Function::New(env, evaluate_masks));
  exports.Set("bootstrapMean", Napi::Function::New(env, bootstrap_mean));
}

}  // namespace cellroute::addon
