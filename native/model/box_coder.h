#pragma once

#include <torch/torch.h>

#include <array>

namespace cellroute::model {

/** Boxes as offsets from proposals (Girshick et al. 2014): (dx, dy) in the proposal's widths and
 *  heights, (dw, dh) as logarithms, each times its weight. torchvision's BoxCoder. */
class BoxCoder {
 public:
  explicit BoxCoder(std::array<double, 4> weights) : weights_(weights) {}

  /** reference [N, 4] and proposals [N, 4] as (x1, y1, x2, y2) give offsets [N, 4]. */
  torch::Tensor encode(const torch::Tensor& reference, const torch::Tensor& proposals) const;

  /** offsets [N, 4 K] over boxes [N, 4] give [N, K, 4]. dw and dh are cut at log(1000 / 16), so
   *  that exp cannot overflow. */
  torch::Tensor decode(const torch::Tensor& offsets, const torch::Tensor& boxes) const;

 private:
  std::array<double, 4> weights_;
};

}  // namespace cellroute::model
