#include "ops/nms.h"

#include <cmath>

#include "engine/profile.h"
#include "ops/cpu/nms.h"
#include "ops/cuda/nms.h"

namespace cellroute::ops {
namespace {

// Up to this many numbers torchvision moves each group apart and suppresses once; above it, group
// by group. The move rounds the boxes, and with it an IoU that is all but the threshold.
constexpr int64_t kCoordinateTrickNumel = 4000;

void check(const torch::Tensor& boxes, const torch::Tensor& scores, double iou_threshold) {
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4, "nms: boxes must be [N, 4], got ",
              boxes.sizes());
  TORCH_CHECK(scores.dim() == 1 && scores.size(0) == boxes.size(0), "nms: scores must be [",
              boxes.size(0), "], got ", scores.sizes());
  TORCH_CHECK(boxes.scalar_type() == torch::kFloat32 || boxes.scalar_type() == torch::kFloat64,
              "nms: boxes must be float32 or float64, got ", boxes.scalar_type());
  TORCH_CHECK(boxes.device() == scores.device() && (boxes.is_cpu() || boxes.is_cuda()),
              "nms: boxes and scores must be on the CPU or on one GPU, got ", boxes.device(),
              " and ", scores.device());
  TORCH_CHECK(!std::isnan(iou_threshold), "nms: iou_threshold is NaN");
}

/** `groups` undefined for one. */
torch::Tensor kept_of(const torch::Tensor& boxes, const torch::Tensor& groups, double threshold) {
  return boxes.is_cuda() ? cuda::nms(boxes, groups, threshold) : cpu::nms(boxes, groups, threshold);
}

torch::Tensor by_falling_score(const torch::Tensor& scores) {
  return std::get<1>(scores.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true));
}

}  // namespace

torch::Tensor nms(const torch::Tensor& boxes, const torch::Tensor& scores, double iou_threshold) {
  check(boxes, scores, iou_threshold);
  const torch::NoGradGuard no_grad;
  const auto order = by_falling_score(scores);
  const auto kept = kept_of(boxes.index_select(0, order), torch::Tensor(), iou_threshold);
  return order.masked_select(kept);
}

torch::Tensor batched_nms(const torch::Tensor& boxes, const torch::Tensor& scores,
                          const torch::Tensor& groups, double iou_threshold) {
  check(boxes, scores, iou_threshold);
  TORCH_CHECK(groups.dim() == 1 && groups.size(0) == boxes.size(0) &&
                  groups.scalar_type() == torch::kInt64 && groups.device() == boxes.device(),
              "batched_nms: groups must be int64 [", boxes.size(0), "], got ", groups.scalar_type(),
              " ", groups.sizes());
  const torch::NoGradGuard no_grad;
  const StageScope stage("nms");
  if (boxes.size(0) == 0) return torch::empty({0}, groups.options());

  auto moved = boxes;
  if (boxes.numel() <= kCoordinateTrickNumel) {
    const auto step = boxes.max() + 1;
    if (torch::isfinite(step).item<bool>()) {
      moved = boxes + (groups.to(boxes.scalar_type()) * step).unsqueeze(1);
    }
  }
  // Groups still meet only themselves: moved boxes with negative corners may overlap the next
  // group.
  const auto order = by_falling_score(scores);
  const auto sorted_groups = groups.index_select(0, order);
  const auto [rising_groups, by_group] =
      sorted_groups.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false);
  const auto grouped = order.index_select(0, by_group);
  const auto kept = kept_of(moved.index_select(0, grouped), rising_groups, iou_threshold);
  const auto kept_in_order = torch::empty_like(kept).index_copy_(0, by_group, kept);
  return order.masked_select(kept_in_order);
}

}  // namespace cellroute::ops
