#include "ops/boxes.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/max.h>
#include <ATen/ops/min.h>
#include <ATen/ops/stack.h>

#include "ops/cuda/box_iou.h"

namespace cellroute::ops {
namespace {

void check(const at::Tensor& boxes, const char* what) {
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4, what, ": boxes must be [N, 4], got ",
              boxes.sizes());
}

at::Tensor area(const at::Tensor& boxes) {
  return (boxes.select(1, 2) - boxes.select(1, 0)) * (boxes.select(1, 3) - boxes.select(1, 1));
}

}  // namespace

at::Tensor box_iou(const at::Tensor& a, const at::Tensor& b) {
  check(a, "box_iou");
  check(b, "box_iou");
  if (a.is_cuda() && b.device() == a.device() && a.scalar_type() == b.scalar_type() &&
      (a.scalar_type() == at::kFloat || a.scalar_type() == at::kDouble)) {
    return cuda::box_iou(a.contiguous(), b.contiguous());
  }
  const auto left_top = at::max(a.slice(1, 0, 2).unsqueeze(1), b.slice(1, 0, 2));
  const auto right_bottom = at::min(a.slice(1, 2, 4).unsqueeze(1), b.slice(1, 2, 4));
  const auto sides = (right_bottom - left_top).clamp_min(0);
  const auto intersection = sides.select(2, 0) * sides.select(2, 1);
  return intersection / (area(a).unsqueeze(1) + area(b) - intersection);
}

at::Tensor clip_boxes_to_image(const at::Tensor& boxes, int64_t height, int64_t width) {
  check(boxes, "clip_boxes_to_image");
  const auto x = boxes.slice(1, 0, 4, 2).clamp(0, width);
  const auto y = boxes.slice(1, 1, 4, 2).clamp(0, height);
  return at::stack({x, y}, 2).reshape(boxes.sizes());
}

at::Tensor has_min_size(const at::Tensor& boxes, double min_size) {
  check(boxes, "has_min_size");
  const auto w = boxes.select(1, 2) - boxes.select(1, 0);
  const auto h = boxes.select(1, 3) - boxes.select(1, 1);
  return w.ge(min_size).logical_and(h.ge(min_size));
}

at::Tensor remove_small_boxes(const at::Tensor& boxes, double min_size) {
  return has_min_size(boxes, min_size).nonzero().squeeze(1);
}

}  // namespace cellroute::ops
