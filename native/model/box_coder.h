#pragma once

#include <torch/types.h>

#include <array>

namespace cellroute::model {

/** Encodes boxes as offsets from proposals (Girshick et al. 2014): (dx, dy) relative to the
 *  proposal's width and height, (dw, dh) as logarithms, each multiplied by its weight.
 *  torchvision's BoxCoder. */
class BoxCoder {
 public:
  explicit BoxCoder(std::array<double, 4> weights) : weights_(weights) {}

  /** Offsets [N, 4] of reference boxes [N, 4] from proposals [N, 4], both as (x1, y1, x2, y2). */
  torch::Tensor encode(const torch::Tensor& reference, const torch::Tensor& proposals) const;

  /** Applies offsets [N, 4 K] to boxes [N, 4]; returns [N, K, 4]. dw and dh are clamped to
   *  log(1000 / 16) so that exp cannot overflow. */
  torch::Tensor decode(const torch::Tensor& offsets, const torch::Tensor& boxes) const;

 private:
  std::array<double, 4> weights_;
};

}  // namespace cellroute::model
