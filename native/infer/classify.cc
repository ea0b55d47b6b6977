#include "infer/classify.h"

#include "infer/vectors.h"
#include "io/resize.h"
#include "model/device_of.h"
#include "model/transform.h"

namespace cellroute::infer {

namespace {

io::Image resized(const io::Image& image, const model::ClassifierConfig& config) {
  switch (config.resize) {
    case model::ResizeMethod::kCrop:
      return io::resize_crop(image, config.resize_height, config.resize_width);
    case model::ResizeMethod::kSquish:
      return io::resize(image, config.resize_height, config.resize_width);
    case model::ResizeMethod::kNone:
      break;
  }
  return image;
}

}  // namespace

torch::Tensor prepare(const model::ClassifierConfig& config, const io::Image& image,
                      const io::Intensity& intensity, torch::Device device) {
  const auto input = io::to_float(resized(image, config), intensity, device);
  return model::normalize(input, config.normalize).unsqueeze(0);
}

Classification classify(const model::Classifier& network, const io::Image& image,
                        const io::Intensity& intensity, const JobContext& poll) {
  const torch::InferenceMode inference;
  poll("prepare", 0.0);
  return classify_tensor(
      network, prepare(network->config(), image, intensity, model::device_of(*network)), poll);
}

Classification classify_tensor(const model::Classifier& network, const torch::Tensor& input,
                               const JobContext& poll) {
  const torch::InferenceMode inference;
  poll("classify", 0.1);
  auto model = network;
  const auto logits = model->forward(input.to(model::device_of(*network))).squeeze(0);
  Classification result{.logits = to_vector<float>(logits, torch::kFloat32),
                        .probabilities = to_vector<float>(logits.softmax(0), torch::kFloat32)};
  poll("done", 1.0);
  return result;
}

}  // namespace cellroute::infer
