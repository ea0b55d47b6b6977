#include "infer/classify.h"

#include "io/resize.h"
#include "model/transform.h"

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

}  // namespace

torch::Tensor prepare(const model::ClassifierConfig& config, const io::Picture& picture,
                      const io::Intensity& intensity) {
  const auto input = io::to_float(resized(picture, config), intensity);
  return model::normalize(input, config.normalize).unsqueeze(0);
}

Classification classify(const model::Classifier& network, const io::Picture& picture,
                        const io::Intensity& intensity, const Poll& poll) {
  const torch::InferenceMode inference;
  poll("prepare", 0.0);
  return classify_tensor(network, prepare(network->config(), picture, intensity), poll);
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
