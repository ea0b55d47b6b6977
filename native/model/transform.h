#pragma once

#include <torch/types.h>

#include <optional>
#include <vector>

#include "model/config.h"

namespace cellroute::model {

struct ImageSize {
  int64_t height;
  int64_t width;

  bool operator==(const ImageSize&) const = default;
};

/** Images of several sizes in one tensor: each in the top left corner, padded with zeros. */
struct ImageBatch {
  torch::Tensor tensors;         // [N, 3, H, W]
  std::vector<ImageSize> sizes;  // of each image
};

/** [3, H, W] or [N, 3, H, W]: (image - mean) / std per channel. */
torch::Tensor normalize(const torch::Tensor& image, const NormalizeConfig& config);

/** The size after resizing: the shorter side becomes min_size unless the longer side would
 *  exceed max_size. Sizes are rounded down like torch's interpolate, but are at least 1. */
ImageSize resized(ImageSize size, const ImageResize& resize);

/** Converts boxes [N, 4] from pixels of an image of size `from` to pixels of one of size `to`. */
torch::Tensor resize_boxes(const torch::Tensor& boxes, ImageSize from, ImageSize to);

/** torchvision's GeneralizedRCNNTransform: normalise, resize bilinearly (without antialiasing),
 *  pad to a common size that is a multiple of `size_divisible`. */
class GeneralizedRcnnTransform {
 public:
  explicit GeneralizedRcnnTransform(const MaskRcnnConfig& config)
      : normalize_(config.normalize),
        resize_(config.resize),
        size_divisible_(config.size_divisible) {}

  GeneralizedRcnnTransform without_resize() const;

  /** The same with `scale` pixels of the input per pixel of the image, without a largest size. */
  GeneralizedRcnnTransform with_scale(double scale) const;

  /** images [3, Hi, Wi], floating point. */
  ImageBatch operator()(const std::vector<torch::Tensor>& images) const;

  /** images [N, 3, H, W], floating point, of one size. */
  ImageBatch stacked(const torch::Tensor& images) const;

 private:
  ImageBatch padded(const std::vector<torch::Tensor>& inputs) const;
  torch::Tensor resized_input(const torch::Tensor& images) const;

  NormalizeConfig normalize_;
  std::optional<ImageResize> resize_;
  int64_t size_divisible_;
};

}  // namespace cellroute::model
