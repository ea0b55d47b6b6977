#include "infer/classify.h"

#include "io/resize.h"

namespace cellroute::infer {

namespace {

io::Picture resized(const io::Picture& picture, const model::ClassifierConfig& config) {
  switch (config.resize) {
    case model::ResizeMethod::kCrop:
      return io::resize_crop(picture, config.resize_height, config.resize_width);
    case model::ResizeMethod::kSquish:
      return io::resize(picture, config.resize_height, config.resize_width);
    case model::ResizeMethod::kNone:
      break;
  }
  return picture;
}

torch::Tensor normalized(const torch::Tensor& input, const model::NormalizeConfig& normalize) {
  const auto shape = {int64_t{3}, int64_t{1}, int64_t{1}};
  const auto mean = torch::tensor(normalize.mean, torch::kFloat32).view(shape);
  const auto std = torch::tensor(normalize.std, torch::kFloat32).view(shape);
  return (input - mean) / std;
}

}  // namespace

Classification classify(const model::Classifier& network, const io::Picture& picture,
                        const io::Intensity& intensity, const Poll& poll) {
  const torch::InferenceMode inference;
  poll("prepare", 0.0);
  const auto& config = network->config();
  const auto input = io::to_float(resized(picture, config), intensity);
  return classify_tensor(network, normalized(input, config.normalize).unsqueeze(0), poll);
}

Classification classify_tensor(const model::Classifier& network, const torch::Tensor& input,
                               const Poll& poll) {
  const torch::InferenceMode inference;
  poll("classify", 0.1);
  auto model = network;
  const auto logits = model->forward(input).squeeze(0).contiguous();
  const auto probabilities = logits.softmax(0);
  const auto count = static_cast<size_t>(logits.numel());
  const auto* from_logits = logits.const_data_ptr<float>();
  const auto* from_probabilities = probabilities.const_data_ptr<float>();
  poll("done", 1.0);
  return {.logits = {from_logits, from_logits + count},
          .probabilities = {from_probabilities, from_probabilities + count}};
}

}  // namespace cellroute::infer
