#include "model/box_coder.h"

#include <cmath>
#include <vector>

namespace cellroute::model {
namespace {

struct Centered {
  torch::Tensor x, y, width, height;  // [N, 1] each
};

Centered centered(const torch::Tensor& boxes) {
  const auto sides = boxes.unsqueeze(-1).unbind(1);
  const auto width = sides[2] - sides[0];
  const auto height = sides[3] - sides[1];
  return {sides[0] + 0.5 * width, sides[1] + 0.5 * height, width, height};
}

}  // namespace

torch::Tensor BoxCoder::encode(const torch::Tensor& reference,
                               const torch::Tensor& proposals) const {
  const auto to = centered(reference);
  const auto from = centered(proposals);
  return torch::cat(
      {weights_[0] * (to.x - from.x) / from.width, weights_[1] * (to.y - from.y) / from.height,
       weights_[2] * torch::log(to.width / from.width),
       weights_[3] * torch::log(to.height / from.height)},
      1);
}

torch::Tensor BoxCoder::decode(const torch::Tensor& offsets, const torch::Tensor& boxes) const {
  static const double kMaxLogScale = std::log(1000.0 / 16);
  const auto from = centered(boxes.to(offsets.scalar_type()));
  const auto parts = offsets.reshape({offsets.size(0), offsets.size(1) / 4, 4}).unbind(2);
  const auto x = parts[0] / weights_[0] * from.width + from.x;
  const auto y = parts[1] / weights_[1] * from.height + from.y;
  const auto half_width =
      0.5 * (torch::exp((parts[2] / weights_[2]).clamp_max(kMaxLogScale)) * from.width);
  const auto half_height =
      0.5 * (torch::exp((parts[3] / weights_[3]).clamp_max(kMaxLogScale)) * from.height);
  return torch::stack({x - half_width, y - half_height, x + half_width, y + half_height}, 2);
}

}  // namespace cellroute::model
