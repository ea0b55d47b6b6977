#include "model/transform.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "round_up.h"

namespace cellroute::model {

torch::Tensor normalize(const torch::Tensor& image, const NormalizeConfig& config) {
  const auto options = image.options();
  const auto mean = torch::tensor(config.mean, options).view({-1, 1, 1});
  const auto std = torch::tensor(config.std, options).view({-1, 1, 1});
  return (image - mean) / std;
}

ImageSize resized(ImageSize size, const ImageResize& resize) {
  const auto [shorter, longer] = std::minmax(size.height, size.width);
  // In double, rounded down: the seed's 520 rows times 800 / 520 must give 800.
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
  // In float, like the reference's ratios.
  const float x = static_cast<float>(to.width) / static_cast<float>(from.width);
  const float y = static_cast<float>(to.height) / static_cast<float>(from.height);
  // Per column: with a tensor of factors, a GPU would wait for the host.
  auto resized = boxes.clone();
  resized.slice(1, 0, 4, 2).mul_(x);
  resized.slice(1, 1, 4, 2).mul_(y);
  return resized;
}

GeneralizedRcnnTransform GeneralizedRcnnTransform::without_resize() const {
  auto transform = *this;
  transform.resize_.reset();
  return transform;
}

GeneralizedRcnnTransform GeneralizedRcnnTransform::with_scale(double scale) const {
  auto transform = *this;
  transform.resize_ = ImageResize{.max_size = std::numeric_limits<int64_t>::max(), .scale = scale};
  return transform;
}

torch::Tensor GeneralizedRcnnTransform::resized_input(const torch::Tensor& images) const {
  auto input = normalize(images, normalize_);
  if (!resize_) return input;
  const auto size = resized({images.size(2), images.size(3)}, *resize_);
  return torch::upsample_bilinear2d(input, {size.height, size.width}, /*align_corners=*/false);
}

ImageBatch GeneralizedRcnnTransform::padded(const std::vector<torch::Tensor>& inputs) const {
  ImageBatch batch;
  ImageSize largest{0, 0};
  int64_t images = 0;
  for (const auto& input : inputs) {
    const ImageSize size{input.size(2), input.size(3)};
    largest = {std::max(largest.height, size.height), std::max(largest.width, size.width)};
    batch.sizes.insert(batch.sizes.end(), input.size(0), size);
    images += input.size(0);
  }
  batch.tensors = torch::zeros({images, 3, round_up(largest.height, size_divisible_),
                                round_up(largest.width, size_divisible_)},
                               inputs.front().options());
  int64_t first = 0;
  for (const auto& input : inputs) {
    batch.tensors.narrow(0, first, input.size(0))
        .narrow(2, 0, input.size(2))
        .narrow(3, 0, input.size(3))
        .copy_(input);
    first += input.size(0);
  }
  return batch;
}

ImageBatch GeneralizedRcnnTransform::operator()(const std::vector<torch::Tensor>& images) const {
  TORCH_CHECK(!images.empty(), "a batch needs an image");
  const auto& first = images.front();
  if (first.is_cuda() && std::ranges::all_of(images, [&](const auto& image) {
        return image.sizes() == first.sizes();
      })) {
    return stacked(torch::stack(images));
  }
  std::vector<torch::Tensor> inputs;
  for (const auto& image : images) {
    TORCH_CHECK(
        image.dim() == 3 && image.size(0) == 3 && image.numel() > 0 && image.is_floating_point(),
        "an image is [3, H, W] and floating, not ", image.sizes(), " of ", image.scalar_type());
    inputs.push_back(resized_input(image.unsqueeze(0)));
  }
  return padded(inputs);
}

ImageBatch GeneralizedRcnnTransform::stacked(const torch::Tensor& images) const {
  TORCH_CHECK(
      images.dim() == 4 && images.size(1) == 3 && images.numel() > 0 && images.is_floating_point(),
      "images are [N, 3, H, W] and floating, not ", images.sizes(), " of ", images.scalar_type());
  return padded({resized_input(images)});
}

}  // namespace cellroute::model
