#include "addon/model.h"

#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "addon/arrays.h"
#include "addon/config.h"
#include "addon/errors.h"
#include "addon/job.h"
#include "addon/read.h"
#include "io/mapped_file.h"
#include "io/weights.h"
#include "model/keys.h"

namespace cellroute::addon {

torch::nn::Module& LoadedModel::module() const {
  if (mask_rcnn.is_empty()) return *classifier.ptr();
  return *mask_rcnn.ptr();
}

const model::MaskRcnn& LoadedModel::as_mask_rcnn() const {
  if (mask_rcnn.is_empty()) throw Error("NATIVE_FAILURE", "This network is not a Mask R-CNN");
  return mask_rcnn;
}

const model::Classifier& LoadedModel::as_classifier() const {
  if (classifier.is_empty()) throw Error("NATIVE_FAILURE", "This network is not a classifier");
  return classifier;
}

namespace {

struct Loaded {
  std::shared_ptr<LoadedModel> model;
  io::LoadReport report;
  int64_t bytes = 0;
};

struct WeightsRequest {
  std::string path;
  std::vector<io::TensorEntry> entries;
};

torch::ScalarType read_dtype(const std::string& name) {
  static const std::unordered_map<std::string, torch::ScalarType> types{
      {"F64", torch::kFloat64},   {"F32", torch::kFloat32}, {"F16", torch::kFloat16},
      {"BF16", torch::kBFloat16}, {"I64", torch::kInt64},   {"I32", torch::kInt32},
      {"I16", torch::kInt16},     {"I8", torch::kInt8},     {"U8", torch::kUInt8},
      {"BOOL", torch::kBool}};
  const auto found = types.find(name);
  if (found == types.end()) throw Error("WEIGHTS_FORMAT", "Unknown tensor type " + name);
  return found->second;
}

WeightsRequest read_weights(const Napi::Value& value) {
  const Fields weights(value, "weights");
  const auto rename = weights.text("keys") == "fastai" ? model::fastai_key : model::modern_key;
  WeightsRequest request{.path = weights.text("path"), .entries = {}};
  for (const auto& entry : weights.objects("tensors")) {
    request.entries.push_back({.name = rename(entry.text("name")),
                               .dtype = read_dtype(entry.text("dtype")),
                               .shape = entry.integers("shape"),
                               .strides = entry.integers("strides"),
                               .offset = static_cast<uint64_t>(entry.integer("offset")),
                               .storage_end = static_cast<uint64_t>(entry.integer("storageEnd"))});
  }
  return request;
}

int64_t count_bytes(torch::nn::Module& module) {
  int64_t bytes = 0;
  for (const auto& tensor : module.parameters()) bytes += static_cast<int64_t>(tensor.nbytes());
  for (const auto& tensor : module.buffers()) bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

Napi::Value report_to_js(Napi::Env env, const io::LoadReport& report) {
  auto result = Napi::Object::New(env);
  result.Set("loaded", to_js(env, report.loaded));
  result.Set("missing", to_js(env, report.missing));
  result.Set("unexpected", to_js(env, report.unexpected));
  result.Set("mismatched", to_js(env, report.mismatched));
  return result;
}

Napi::Value submit_load(Napi::Env env, WeightsRequest request, const CallOptions& call,
                        std::function<std::shared_ptr<LoadedModel>()> build) {
  return submit<Loaded>(
      env, call,
      [request = std::move(request), build = std::move(build)](const Poll& poll) {
        poll("read", 0.0);
        Loaded loaded{.model = build(), .report = {}, .bytes = 0};
        auto& module = loaded.model->module();
        module.eval();
        loaded.report = io::load_state(module, io::MappedFile(request.path), request.entries, poll);
        loaded.bytes = count_bytes(module);
        return loaded;
      },
      [](Napi::Env js, Loaded& loaded) -> Napi::Value {
        auto result = Napi::Object::New(js);
        result.Set("model", Handle<LoadedModel>::make(js, loaded.model, loaded.bytes));
        result.Set("report", report_to_js(js, loaded.report));
        result.Set("bytes", Napi::Number::New(js, static_cast<double>(loaded.bytes)));
        return result;
      });
}

Napi::Value load_mask_rcnn(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit_load(info.Env(), read_weights(info[1]), CallOptions::read(info.Env(), info[2]),
                       [config = read_mask_rcnn_config(info[0])] {
                         auto model = std::make_shared<LoadedModel>();
                         model->mask_rcnn = model::MaskRcnn(config);
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

/** Parameters and buffers, in the module's order. */
std::vector<std::pair<std::string, torch::Tensor>> named_tensors(torch::nn::Module& module) {
  std::vector<std::pair<std::string, torch::Tensor>> result;
  for (const auto& item : module.named_parameters()) result.emplace_back(item.key(), item.value());
  for (const auto& item : module.named_buffers()) result.emplace_back(item.key(), item.value());
  return result;
}

const char* dtype_name(torch::ScalarType dtype) {
  if (dtype == torch::kFloat32) return "F32";
  if (dtype == torch::kInt64) return "I64";
  throw Error("NATIVE_FAILURE", "A network holds float32 and int64 tensors only");
}

Napi::Value list_tensors(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto tensors = named_tensors(Handle<LoadedModel>::get(env, info[0])->module());
    auto result = Napi::Array::New(env, tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
      auto entry = Napi::Object::New(env);
      entry.Set("name", Napi::String::New(env, tensors[i].first));
      entry.Set("dtype", Napi::String::New(env, dtype_name(tensors[i].second.scalar_type())));
      entry.Set("shape", to_js(env, tensors[i].second.sizes()));
      result.Set(static_cast<uint32_t>(i), entry);
    }
    return result;
  });
}

Napi::Value read_tensor(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    auto model = Handle<LoadedModel>::get(env, info[0]);
    auto name = info[1].As<Napi::String>().Utf8Value();
    return submit<torch::Tensor>(
        env, CallOptions::read(env, info[2]),
        [model = std::move(model), name = std::move(name)](const Poll& poll) {
          poll("read", 0.0);
          for (const auto& [key, tensor] : named_tensors(model->module())) {
            if (key == name) return tensor.detach().contiguous();
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
