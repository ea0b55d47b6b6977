#pragma once

#include <torch/torch.h>

#include <vector>

#include "model/config.h"
#include "model/resnet.h"

namespace cellroute::model {

/** A ResNet that names the class of a whole image. Keys: the ResNet's beside `fc` (torchvision),
 *  or beside `head.i`, i counting as in the head that fastai's create_head makes. */
class ClassifierImpl : public ResNetImpl {
 public:
  explicit ClassifierImpl(const ClassifierConfig& config);

  const ClassifierConfig& config() const { return config_; }

  /** Normalised images [N, 3, H, W] give logits [N, num_classes]. */
  torch::Tensor forward(const torch::Tensor& images, const Progress& progress = {});

  /** What follows the last layer: its output [N, C, h, w] gives logits. */
  torch::Tensor head(const torch::Tensor& features);

 private:
  ClassifierConfig config_;
  torch::nn::Linear fc_{nullptr};
  torch::nn::Sequential head_{nullptr};
};
TORCH_MODULE(Classifier);

}  // namespace cellroute::model
