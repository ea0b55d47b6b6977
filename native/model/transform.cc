#include "model/transform.h"

#include <algorithm>
#include <cmath>

namespace cellroute::model {
namespace {

ImageSize size_of(const torch::Tensor& picture) { return {picture.size(1), picture.size(2)}; }

int64_t round_up(int64_t value, int64_t divisor) {
  return (value + divisor - 1) / divisor * divisor;
}

}  // namespace

torch::Tensor normalize(const torch::Tensor& picture, const NormalizeConfig& config) {
  const auto options = picture.options();
  const auto mean = torch::tensor(config.mean, options).view({-1, 1, 1});
  const auto std = torch::tensor(config.std, options).view({-1, 1, 1});
  return (picture - mean) / std;
}

ImageSize resized(ImageSize size, const PictureResize& resize) {
  const auto [shorter, longer] = std::minmax(size.height, size.width);
  // In double, and rounded down: the seed's 520 rows times 800 / 520 must give 800.
  const double wanted = resize.scale
                            ? *resize.scale
                            : static_cast<double>(resize.min_size) / static_cast<double>(shorter);
  const double scale =
      std::min(wanted, static_cast<double>(resize.max_size) / static_cast<double>(longer));
  const auto side = [scale](int64_t length) {
    return std::max<int64_t>(1,
                             static_cast<int64_t>(std::floor(static_cast<double>(length) * scale)));
  };
  return {side(size.height), side(size.width)};
}

torch::Tensor resize_boxes(const torch::Tensor& boxes, ImageSize from, ImageSize to) {
  // In float, as the reference's ratios are.
  const float x = static_cast<float>(to.width) / static_cast<float>(from.width);
  const float y = static_cast<float>(to.height) / static_cast<float>(from.height);
  return boxes * torch::tensor({x, y, x, y}, boxes.options());
}

GeneralizedRcnnTransform GeneralizedRcnnTransform::without_resize() const {
  auto transform = *this;
  transform.resize_.reset();
  return transform;
}

ImageBatch GeneralizedRcnnTransform::operator()(const std::vector<torch::Tensor>& pictures) const {
  TORCH_CHECK(!pictures.empty(), "a batch needs a picture");
  std::vector<torch::Tensor> inputs;
  ImageBatch batch;
  ImageSize largest{0, 0};
  for (const auto& picture : pictures) {
    TORCH_CHECK(picture.dim() == 3 && picture.size(0) == 3 && picture.numel() > 0 &&
                    picture.is_floating_point(),
                "a picture is [3, H, W] and floating, not ", picture.sizes(), " of ",
                picture.scalar_type());
    auto input = normalize(picture, normalize_);
    if (resize_) {
      const auto size = resized(size_of(picture), *resize_);
      input = torch::upsample_bilinear2d(input.unsqueeze(0), {size.height, size.width},
                                         /*align_corners=*/false)
                  .squeeze(0);
    }
    const auto size = size_of(input);
    largest = {std::max(largest.height, size.height), std::max(largest.width, size.width)};
    batch.sizes.push_back(size);
    inputs.push_back(std::move(input));
  }
  batch.tensors = torch::zeros(
      {static_cast<int64_t>(inputs.size()), 3, round_up(largest.height, size_divisible_),
       round_up(largest.width, size_divisible_)},
      inputs.front().options());
  for (size_t i = 0; i < inputs.size(); ++i) {
    batch.tensors[static_cast<int64_t>(i)]
        .narrow(1, 0, batch.sizes[i].height)
        .narrow(2, 0, batch.sizes[i].width)
        .copy_(inputs[i]);
  }
  return batch;
}

}  // namespace cellroute::model
