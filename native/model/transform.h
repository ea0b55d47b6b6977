#pragma once

#include <torch/torch.h>

#include <optional>
#include <vector>

#include "model/config.h"

namespace cellroute::model {

struct ImageSize {
  int64_t height;
  int64_t width;

  bool operator==(const ImageSize&) const = default;
};

/** Pictures of several sizes in one tensor: each in the top left corner, zeros beyond it. */
struct ImageBatch {
  torch::Tensor tensors;         // [N, 3, H, W]
  std::vector<ImageSize> sizes;  // of each picture inside
};

/** [3, H, W] or [N, 3, H, W]: (picture - mean) / std, channel by channel. */
torch::Tensor normalize(const torch::Tensor& picture, const NormalizeConfig& config);

/** What a picture's size becomes: the scale brings the shorter side to min_size unless the longer
 *  one would pass max_size; sizes are rounded down, as torch's interpolate does, but never to 0. */
ImageSize resized(ImageSize size, const PictureResize& resize);

/** boxes [N, 4] from pixels of a picture of size `from` to pixels of one of size `to`. */
torch::Tensor resize_boxes(const torch::Tensor& boxes, ImageSize from, ImageSize to);

/** torchvision's GeneralizedRCNNTransform: normalise, resize bilinearly (without antialiasing), pad
 *  to one size that `size_divisible` divides. */
class GeneralizedRcnnTransform {
 public:
  explicit GeneralizedRcnnTransform(const MaskRcnnConfig& config)
      : normalize_(config.normalize),
        resize_(config.resize),
        size_divisible_(config.size_divisible) {}

  GeneralizedRcnnTransform without_resize() const;

  /** pictures [3, Hi, Wi], floating. */
  ImageBatch operator()(const std::vector<torch::Tensor>& pictures) const;

  /** pictures [N, 3, H, W], floating: all as one. */
  ImageBatch at_once(const torch::Tensor& pictures) const;

 private:
  ImageBatch padded(const std::vector<torch::Tensor>& inputs) const;
  torch::Tensor resized_input(const torch::Tensor& pictures) const;

  NormalizeConfig normalize_;
  std::optional<PictureResize> resize_;
  int64_t size_divisible_;
};

}  // namespace cellroute::model
