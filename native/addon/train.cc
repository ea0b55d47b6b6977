#include <functional>
#include <string>
#include <utility>

#include "addon/arrays.h"
#include "addon/config.h"
#include "addon/errors.h"
#include "addon/job.h"
#include "addon/model.h"
#include "addon/read.h"
#include "addon/register.h"
#include "addon/train_config.h"
#include "addon/trainer.h"
#include "addon/weights.h"
#include "io/mapped_file.h"

namespace cellroute::addon {

train::SegmenterTrainer& OwnedTrainer::as_segmenter() const {
  if (!segmenter) throw Error("NATIVE_FAILURE", "This trainer does not train a Mask R-CNN");
  return *segmenter;
}

train::ClassifierTrainer& OwnedTrainer::as_classifier() const {
  if (!classifier) throw Error("NATIVE_FAILURE", "This trainer does not train a classifier");
  return *classifier;
}

train::Trainer& OwnedTrainer::any() const {
  if (segmenter) return *segmenter;
  return *classifier;
}

namespace {

using Built = std::shared_ptr<OwnedTrainer>;

Napi::Value submit_create(Napi::Env env, const CallOptions& call, std::function<Built()> build) {
  return submit<Built>(
      env, call,
      [build = std::move(build)](const JobContext& poll) {
        poll("create", 0.0);
        return build();
      },
      [](Napi::Env js, Built& built) -> Napi::Value {
        return Handle<OwnedTrainer>::make(js, built, built->any().bytes());
      });
}

Napi::Value create_segmenter(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    const Fields fields(info[1], "options");
    const auto call = CallOptions::read(env, info[2]);
    return submit_create(env, call,
                         [config = read_mask_rcnn_config(info[0]),
                          options = read_trainer_options(fields, call.device),
                          sampling = read_sampling(fields.object("sampling"))] {
                           auto trainer = std::make_shared<OwnedTrainer>();
                           trainer->segmenter =
                               std::make_unique<train::SegmenterTrainer>(config, options, sampling);
                           return trainer;
                         });
  });
}

Napi::Value create_classifier(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    const Fields fields(info[1], "options");
    const auto call = CallOptions::read(env, info[2]);
    return submit_create(env, call,
                         [config = read_classifier_config(info[0]),
                          options = read_trainer_options(fields, call.device),
                          weights = fields.numbers("classWeights")] {
                           auto trainer = std::make_shared<OwnedTrainer>();
                           trainer->classifier =
                               std::make_unique<train::ClassifierTrainer>(config, options, weights);
                           return trainer;
                         });
  });
}

Napi::Value release(const Napi::CallbackInfo& info) {
  Handle<OwnedTrainer>::release(info.Env(), info[0]);
  return info.Env().Undefined();
}

using Fill = io::LoadReport (train::Trainer::*)(const io::MappedFile&,
                                                const std::vector<io::TensorEntry>&,
                                                const JobContext&);

/** startTrainer and restoreTrainer: load the state of a trainer from a file. */
template <Fill fill>
Napi::Value fill_from(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    return submit_mutating<io::LoadReport>(
        env, CallOptions::read(env, info[2]),
        [trainer = Handle<OwnedTrainer>::get(env, info[0]),
         request = read_weights(info[1])](const JobContext& poll) {
          return (trainer->any().*fill)(io::MappedFile(request.path), request.entries, poll);
        },
        report_to_js);
  });
}

Napi::Value list_trainer_tensors(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    return infos_to_js(env, Handle<OwnedTrainer>::get(env, info[0])->any().state());
  });
}

Napi::Value read_trainer_tensor(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    return submit<torch::Tensor>(
        env, CallOptions::read(env, info[2]),
        [trainer = Handle<OwnedTrainer>::get(env, info[0]),
         name = info[1].As<Napi::String>().Utf8Value()](const JobContext& poll) {
          poll("read", 0.0);
          return trainer->any().read(name);
        },
        [](Napi::Env js, torch::Tensor& tensor) -> Napi::Value {
          return bytes_to_js(js, tensor.const_data_ptr(), tensor.nbytes());
        });
  });
}

std::shared_ptr<LoadedModel> empty_model(const OwnedTrainer& trainer) {
  auto model = std::make_shared<LoadedModel>();
  if (trainer.segmenter) {
    model->mask_rcnn = model::MaskRcnn(trainer.segmenter->config());
  } else {
    model->classifier = model::Classifier(trainer.classifier->config());
  }
  model->module().eval();
  model->device = trainer.any().device();
  model->module().to(model->device);
  return model;
}

Napi::Value snapshot(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    const bool average = info[1].As<Napi::String>().Utf8Value() == "average";
    const auto weights = average ? train::Weights::kAverage : train::Weights::kCurrent;
    return submit<Loaded>(
        env, CallOptions::read(env, info[2]),
        [trainer = Handle<OwnedTrainer>::get(env, info[0]), weights](const JobContext& poll) {
          poll("snapshot", 0.0);
          Loaded loaded{.model = empty_model(*trainer), .report = {}};
          trainer->any().copy_weights(loaded.model->module(), weights);
          for (const auto& [name, tensor] : io::named_tensors(loaded.model->module())) {
            loaded.report.loaded.push_back(name);
          }
          return loaded;
        },
        loaded_to_js);
  });
}

}  // namespace

void register_train(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("createSegmenterTrainer", create_segmenter);
  add("createClassifierTrainer", create_classifier);
  add("releaseTrainer", release);
  add("startTrainer", fill_from<&train::Trainer::start>);
  add("listTrainerTensors", list_trainer_tensors);
  add("readTrainerTensor", read_trainer_tensor);
  add("restoreTrainer", fill_from<&train::Trainer::restore>);
  add("snapshotTrainer", snapshot);
}

}  // namespace cellroute::addon
