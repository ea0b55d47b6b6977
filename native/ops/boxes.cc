#include "ops/boxes.h"

#include "ops/cuda/box_iou.h"

namespace cellroute::ops {
namespace {

void check(const torch::Tensor& boxes, const char* what) {
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4, what, ": boxes must be [N, 4], got ",
              boxes.sizes());
}

torch::Tensor area(const torch::Tensor& boxes) {
  return (boxes.select(1, 2) - boxes.select(1, 0)) * (boxes.select(1, 3) - boxes.select(1, 1));
}

}  // namespace

torch::Tensor box_iou(const torch::Tensor& a, const torch::Tensor& b) {
  check(a, "box_iou");
  check(b, "box_iou");
  if (a.is_cuda() && b.device() == a.device() && a.scalar_type() == b.scalar_type() &&
      (a.scalar_type() == torch::kFloat32 || a.scalar_type() == torch::kFloat64)) {
    return cuda::box_iou(a.contiguous(), b.contiguous());
  }
  const auto left_top = torch::max(a.slice(1, 0, 2).unsqueeze(1), b.slice(1, 0, 2));
  const auto right_bottom = torch::min(a.slice(1, 2, 4).unsqueeze(1), b.slice(1, 2, 4));
  const auto sides = (right_bottom - left_top).clamp_min(0);
  const auto intersection = sides.select(2, 0) * sides.select(2, 1);
  return intersection / (area(a).unsqueeze(1) + area(b) - intersection);
}

torch::Tensor clip_boxes_to_image(const torch::Tensor& boxes, int64_t height, int64_t width) {
  check(boxes, "clip_boxes_to_image");
  const auto x = boxes.slice(1, 0, 4, 2).clamp(0, width);
  const auto y = boxes.slice(1, 1, 4, 2).clamp(0, height);
  return torch::stack({x, y}, 2).reshape(boxes.sizes());
}

torch::Tensor has_min_size(const torch::Tensor& boxes, double min_size) {
  check(boxes, "has_min_size");
  const auto w = boxes.select(1, 2) - boxes.select(1, 0);
  const auto h = boxes.select(1, 3) - boxes.select(1, 1);
  return w.ge(min_size).logical_and(h.ge(min_size));
}

torch::Tensor remove_small_boxes(const torch::Tensor& boxes, double min_size) {
  return has_min_size(boxes, min_size).nonzero().squeeze(1);
}

}  // namespace cellroute::ops
