#pragma once

#include <vector>

#include "model/config.h"
#include "model/resnet.h"
#include "nn.h"

namespace cellroute::model {

/** A ResNet that classifies a whole image. Keys: the ResNet's and `fc` (torchvision), or the
 *  ResNet's and `head.i`, with i as in the head that fastai's create_head builds. */
class ClassifierImpl : public ResNetImpl {
 public:
  explicit ClassifierImpl(const ClassifierConfig& config);

  const ClassifierConfig& config() const { return config_; }

  /** Maps normalised images [N, 3, H, W] to logits [N, num_classes]. */
  torch::Tensor forward(const torch::Tensor& images, const Progress& progress = {});

  /** The part after the last layer: maps its output [N, C, h, w] to logits. */
  torch::Tensor head(const torch::Tensor& features);

 private:
  ClassifierConfig config_;
  torch::nn::Linear fc_{nullptr};
  torch::nn::Sequential head_{nullptr};
};
TORCH_MODULE(Classifier);

}  // namespace cellroute::model
