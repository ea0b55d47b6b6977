#include "addon/model.h"

#include <functional>
#include <string>
#include <utility>

#include "addon/arrays.h"
#include "addon/config.h"
#include "addon/errors.h"
#include "addon/job.h"
#include "addon/register.h"
#include "addon/weights.h"
#include "io/mapped_file.h"
#include "model/skip_init.h"

namespace cellroute::addon {

torch::nn::Module& LoadedModel::module() const {
  if (mask_rcnn.is_empty()) return *classifier.ptr();
  return *mask_rcnn.ptr();
}

infer::MaskRcnnPlan& LoadedModel::plan() {
  if (mask_rcnn.is_empty()) throw Error("NATIVE_FAILURE", "This network is not a Mask R-CNN");
  if (!plan_) plan_ = std::make_unique<infer::MaskRcnnPlan>(mask_rcnn, compute_dtype);
  return *plan_;
}

const model::Classifier& LoadedModel::as_classifier() const {
  if (classifier.is_empty()) throw Error("NATIVE_FAILURE", "This network is not a classifier");
  return classifier;
}

Napi::Value loaded_to_js(Napi::Env env, Loaded& loaded) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : io::named_tensors(loaded.model->module())) {
    bytes += static_cast<int64_t>(tensor.nbytes());
  }
  auto result = Napi::Object::New(env);
  result.Set("model", Handle<LoadedModel>::make(env, loaded.model, bytes));
  result.Set("report", report_to_js(env, loaded.report));
  result.Set("bytes", Napi::Number::New(env, static_cast<double>(bytes)));
  return result;
}

namespace {

/** The caller has checked that the device supports the precision. */
torch::ScalarType read_precision(const Napi::Value& value) {
  const auto name = value.As<Napi::String>().Utf8Value();
  if (name == "float16") return torch::kFloat16;
  if (name == "int8") return torch::kInt8;
  return name == "bfloat16" ? torch::kBFloat16 : torch::kFloat32;
}

/** Loads without initialising weights: the file must provide every weight, or it is refused. */
std::shared_ptr<LoadedModel> without_init(
    const std::function<std::shared_ptr<LoadedModel>()>& build) {
  const model::SkipInit skip_init;
  return build();
}

Napi::Value submit_load(Napi::Env env, WeightsRequest request, const CallOptions& call,
                        std::function<std::shared_ptr<LoadedModel>()> build) {
  return submit<Loaded>(
      env, call,
      [request = std::move(request), build = std::move(build),
       device = call.device](const JobContext& poll) {
        poll("read", 0.0);
        Loaded loaded{.model = without_init(build), .report = {}};
        loaded.model->device = device;
        auto& module = loaded.model->module();
        module.eval();
        loaded.report = io::load_state(module, io::MappedFile(request.path), request.entries, poll);
        if (!device.is_cpu()) module.to(device);
        // Compiled now, so that the first image does not wait. A file that does not fit is refused
        // later anyway.
        if (!loaded.model->mask_rcnn.is_empty() && loaded.report.missing.empty()) {
          const torch::InferenceMode inference;
          loaded.model->plan();
        }
        return loaded;
      },
      loaded_to_js);
}

Napi::Value load_mask_rcnn(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit_load(
        info.Env(), read_weights(info[1]), CallOptions::read(info.Env(), info[3]),
        [config = read_mask_rcnn_config(info[0]), compute_dtype = read_precision(info[2])] {
          auto model = std::make_shared<LoadedModel>();
          model->mask_rcnn = model::MaskRcnn(config);
          model->compute_dtype = compute_dtype;
          return model;
        });
  });
}

Napi::Value load_classifier(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit_load(info.Env(), read_weights(info[1]), CallOptions::read(info.Env(), info[2]),
                       [config = read_classifier_config(info[0])] {
                         auto model = std::make_shared<LoadedModel>();
                         model->classifier = model::Classifier(config);
                         return model;
                       });
  });
}

Napi::Value release_model(const Napi::CallbackInfo& info) {
  Handle<LoadedModel>::release(info.Env(), info[0]);
  return info.Env().Undefined();
}

Napi::Value list_tensors(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    return infos_to_js(env, io::named_tensors(Handle<LoadedModel>::get(env, info[0])->module()));
  });
}

Napi::Value read_tensor(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    auto model = Handle<LoadedModel>::get(env, info[0]);
    auto name = info[1].As<Napi::String>().Utf8Value();
    return submit<torch::Tensor>(
        env, CallOptions::read(env, info[2]),
        [model = std::move(model), name = std::move(name)](const JobContext& poll) {
          poll("read", 0.0);
          for (const auto& [key, tensor] : io::named_tensors(model->module())) {
            if (key == name) return tensor.detach().cpu().contiguous();
          }
          throw Error("NATIVE_FAILURE", "This network has no tensor " + name);
        },
        [](Napi::Env js, torch::Tensor& tensor) -> Napi::Value {
          return bytes_to_js(js, tensor.data_ptr(), tensor.nbytes());
        });
  });
}

}  // namespace

void register_model(Napi::Env env, Napi::Object exports) {
  exports.Set("loadMaskRCNN", Napi::Function::New(env, load_mask_rcnn));
  exports.Set("loadClassifier", Napi::Function::New(env, load_classifier));
  exports.Set("releaseModel", Napi::Function::New(env, release_model));
  exports.Set("listTensors", Napi::Function::New(env, list_tensors));
  exports.Set("readTensor", Napi::Function::New(env, read_tensor));
}

}  // namespace cellroute::addon
