#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "addon/errors.h"
#include "addon/job.h"
#include "addon/mask_batch.h"
#include "addon/read.h"
#include "addon/register.h"
#include "addon/train_config.h"
#include "addon/trainer.h"

namespace cellroute::addon {

namespace {

Napi::Value result_to_js(Napi::Env env, const train::StepResult& step) {
  auto losses = Napi::Object::New(env);
  for (const auto& [name, loss] : step.losses) losses.Set(name, Napi::Number::New(env, loss));
  auto result = Napi::Object::New(env);
  result.Set("losses", losses);
  result.Set("gradNorm", Napi::Number::New(env, step.grad_norm));
  result.Set("applied", Napi::Boolean::New(env, step.applied));
  return result;
}

Napi::Array samples_of(const Napi::Value& value) {
  if (!value.IsArray() || value.As<Napi::Array>().Length() == 0) {
    throw Error("INVALID_ARGUMENT", "A step needs at least one sample");
  }
  return value.As<Napi::Array>();
}

/** Memory of a sample's array, which must have exactly `count` elements. */
template <typename T>
const T* data_of(const Fields& sample, const char* name, napi_typedarray_type type, int64_t count) {
  const auto value = sample.value(name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw Error("INVALID_ARGUMENT", std::string(name) + " is not a typed array of the right type");
  }
  auto array = value.As<Napi::TypedArrayOf<T>>();
  if (static_cast<int64_t>(array.ElementLength()) != count) {
    throw Error("INVALID_ARGUMENT", std::string(name) + " has a wrong length");
  }
  return array.Data();
}

struct ImageSize {
  int64_t height;
  int64_t width;

  bool operator==(const ImageSize&) const = default;
};

ImageSize size_of(const Fields& sample) {
  const auto [height, width] = read_size(sample.value("height"), sample.value("width"));
  return {.height = height, .width = width};
}

/** Copies a sample's pixels to [3, height, width]. */
void copy_pixels(const Fields& sample, ImageSize size, float* to) {
  const int64_t count = 3 * size.height * size.width;
  const auto* from = data_of<float>(sample, "pixels", napi_float32_array, count);
  std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
}

struct SegmenterBatch {
  std::vector<torch::Tensor> images;
  std::vector<train::GroundTruth> ground_truths;
};

train::GroundTruth read_ground_truth(const Fields& sample) {
  auto masks = copy_batch(sample.value("masks"));
  const auto cells = static_cast<int64_t>(masks.size());
  const auto* from = data_of<int32_t>(sample, "labels", napi_int32_array, cells);
  auto labels = torch::empty({cells}, torch::kInt64);
  std::copy_n(from, cells, labels.data_ptr<int64_t>());
  return train::make_ground_truth(std::move(masks), labels);
}

SegmenterBatch read_segmenter_batch(const Napi::Value& value) {
  const auto samples = samples_of(value);
  SegmenterBatch batch;
  for (uint32_t i = 0; i < samples.Length(); ++i) {
    const auto path = "samples[" + std::to_string(i) + "]";
    const Fields sample(samples.Get(i), path);
    try {
      const auto size = size_of(sample);
      batch.images.push_back(torch::empty({3, size.height, size.width}));
      copy_pixels(sample, size, batch.images.back().data_ptr<float>());
      batch.ground_truths.push_back(read_ground_truth(sample));
    } catch (const Error& error) {
      throw Error(error.code(), path + ": " + error.what(), error.position());
    }
  }
  return batch;
}

struct ClassifierBatch {
  torch::Tensor images;
  torch::Tensor labels;
};

ClassifierBatch read_classifier_batch(const Napi::Value& value) {
  const auto samples = samples_of(value);
  const int64_t count = samples.Length();
  const auto size = size_of(Fields(samples.Get(uint32_t{0}), "samples[0]"));
  ClassifierBatch batch{.images = torch::empty({count, 3, size.height, size.width}),
                        .labels = torch::empty({count}, torch::kInt64)};
  for (uint32_t i = 0; i < samples.Length(); ++i) {
    const auto path = "samples[" + std::to_string(i) + "]";
    const Fields sample(samples.Get(i), path);
    if (size_of(sample) != size) {
      throw Error("INVALID_ARGUMENT", path + ": all images of a batch must have the same size");
    }
    copy_pixels(sample, size, batch.images[i].data_ptr<float>());
    batch.labels.data_ptr<int64_t>()[i] = sample.integer("label");
  }
  return batch;
}

Napi::Value segmenter_step(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    return submit_mutating<train::StepResult>(
        env, CallOptions::read(env, info[3]),
        [trainer = Handle<OwnedTrainer>::get(env, info[0]), batch = read_segmenter_batch(info[1]),
         options = read_step(Fields(info[2], "step"))](const JobContext& poll) {
          return trainer->as_segmenter().step(batch.images, batch.ground_truths, options, poll);
        },
        result_to_js);
  });
}

Napi::Value classifier_step(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    return submit_mutating<train::StepResult>(
        env, CallOptions::read(env, info[3]),
        [trainer = Handle<OwnedTrainer>::get(env, info[0]), batch = read_classifier_batch(info[1]),
         options = read_step(Fields(info[2], "step"))](const JobContext& poll) {
          return trainer->as_classifier().step(batch.images, batch.labels, options, poll);
        },
        result_to_js);
  });
}

}  // namespace

void register_train_step(Napi::Env env, Napi::Object exports) {
  exports.Set("trainSegmenterStep", Napi::Function::New(env, segmenter_step, "trainSegmenterStep"));
  exports.Set("trainClassifierStep",
              Napi::Function::New(env, classifier_step, "trainClassifierStep"));
}

}  // namespace cellroute::addon
