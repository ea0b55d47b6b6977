#include "ops/nms.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <limits>

#include "engine/profile.h"
#include "ops/cpu/roi/nms.h"
#include "ops/cuda/nms.h"

namespace cellroute::ops {
namespace {

// Up to this many numbers, torchvision offsets each group and suppresses once; above it, it
// suppresses group by group. The offset rounds the boxes and may change an IoU close to the
// threshold.
constexpr int64_t kCoordinateTrickNumel = 4000;

void check(const at::Tensor& boxes, const at::Tensor& scores, double iou_threshold) {
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4, "nms: boxes must be [N, 4], got ",
              boxes.sizes());
  TORCH_CHECK(scores.dim() == 1 && scores.size(0) == boxes.size(0), "nms: scores must be [",
              boxes.size(0), "], got ", scores.sizes());
  TORCH_CHECK(boxes.scalar_type() == at::kFloat || boxes.scalar_type() == at::kDouble,
              "nms: boxes must be float32 or float64, got ", boxes.scalar_type());
  TORCH_CHECK(boxes.device() == scores.device() && (boxes.is_cpu() || boxes.is_cuda()),
              "nms: boxes and scores must be on the CPU or on one GPU, got ", boxes.device(),
              " and ", scores.device());
  TORCH_CHECK(!std::isnan(iou_threshold), "nms: iou_threshold is NaN");
}

/** boxes [N, K, 4] and groups [N, K], undefined for a single group; returns [N, K]. */
at::Tensor kept_of_each(const at::Tensor& boxes, const at::Tensor& groups, double threshold) {
  if (boxes.is_cuda()) return cuda::nms(boxes, groups, threshold);
  auto kept = at::empty({boxes.size(0), boxes.size(1)}, at::kBool);
  for (int64_t n = 0; n < boxes.size(0); ++n) {
    kept[n].copy_(cpu::nms(boxes[n], groups.defined() ? groups[n] : groups, threshold));
  }
  return kept;
}

/** The same for one image. */
at::Tensor kept_of(const at::Tensor& boxes, const at::Tensor& groups, double threshold) {
  return kept_of_each(boxes.unsqueeze(0), groups.defined() ? groups.unsqueeze(0) : groups,
                      threshold)
      .squeeze(0);
}

at::Tensor by_decreasing_score(const at::Tensor& scores) {
  return std::get<1>(scores.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true));
}

}  // namespace

at::Tensor nms(const at::Tensor& boxes, const at::Tensor& scores, double iou_threshold) {
  check(boxes, scores, iou_threshold);
  const at::NoGradGuard no_grad;
  const auto order = by_decreasing_score(scores);
  const auto kept = kept_of(boxes.index_select(0, order), at::Tensor(), iou_threshold);
  return order.masked_select(kept);
}

at::Tensor batched_nms(const at::Tensor& boxes, const at::Tensor& scores, const at::Tensor& groups,
                       double iou_threshold) {
  check(boxes, scores, iou_threshold);
  TORCH_CHECK(groups.dim() == 1 && groups.size(0) == boxes.size(0) &&
                  groups.scalar_type() == at::kLong && groups.device() == boxes.device(),
              "batched_nms: groups must be int64 [", boxes.size(0), "], got ", groups.scalar_type(),
              " ", groups.sizes());
  const at::NoGradGuard no_grad;
  const StageScope stage("nms");
  if (boxes.size(0) == 0) return at::empty({0}, groups.options());

  auto moved = boxes;
  if (boxes.numel() <= kCoordinateTrickNumel) {
    const auto step = boxes.max() + 1;
    if (at::isfinite(step).item<bool>()) {
      moved = boxes + (groups.to(boxes.scalar_type()) * step).unsqueeze(1);
    }
  }
  // Groups are still compared within themselves only: offset boxes with negative corners may
  // overlap the next group.
  const auto order = by_decreasing_score(scores);
  const auto sorted_groups = groups.index_select(0, order);
  const auto [ascending_groups, by_group] =
      sorted_groups.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false);
  const auto grouped = order.index_select(0, by_group);
  const auto kept = kept_of(moved.index_select(0, grouped), ascending_groups, iou_threshold);
  const auto kept_in_order = at::empty_like(kept).index_copy_(0, by_group, kept);
  return order.masked_select(kept_in_order);
}

at::Tensor padded_rows(const at::Tensor& values, const at::Tensor& index) {
  if (values.dim() == 2) return values.gather(1, index);
  return values.gather(1, index.unsqueeze(2).expand({-1, -1, values.size(2)}));
}

PaddedKept nms_padded(const at::Tensor& boxes, const at::Tensor& scores, const at::Tensor& groups,
                      const at::Tensor& valid, double iou_threshold, int64_t limit) {
  TORCH_CHECK(boxes.dim() == 3 && boxes.size(2) == 4 && boxes.size(1) > 0,
              "nms_padded: boxes must be [N, K, 4], got ", boxes.sizes());
  const at::NoGradGuard no_grad;
  const StageScope stage("nms");
  constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
  // As in batched_nms(), but decided on the device.
  const auto out = valid.logical_not();
  const auto step = std::get<0>(boxes.amax(2).masked_fill(out, kMinusInfinity).max(1)) + 1;
  const auto few = valid.sum(1) * 4 <= kCoordinateTrickNumel;
  const auto apart = at::where(few.logical_and(at::isfinite(step)), step, 0);
  const auto moved = boxes + (groups * apart.unsqueeze(1)).unsqueeze(2);

  const auto order = std::get<1>(scores.masked_fill(out, kMinusInfinity)
                                     .sort(/*stable=*/true, /*dim=*/1, /*descending=*/true));
  const auto taken = padded_rows(valid, order);
  // Invalid rows form the last group.
  const auto sorted_groups = at::where(taken, padded_rows(groups, order), int64_t{1} << 40);
  const auto [ascending_groups, by_group] =
      sorted_groups.sort(/*stable=*/true, /*dim=*/1, /*descending=*/false);
  const auto grouped = order.gather(1, by_group);
  const auto kept =
      kept_of_each(padded_rows(moved, grouped), ascending_groups.contiguous(), iou_threshold);
  const auto kept_in_order = at::empty_like(kept).scatter_(1, by_group, kept).logical_and(taken);

  const auto rank = kept_in_order.cumsum(1) - 1;
  // One more position, for everything that is dropped.
  const auto place = at::where(kept_in_order, rank, limit).clamp_max(limit);
  const auto index = at::zeros({boxes.size(0), limit + 1}, order.options())
                         .scatter_(1, place, order)
                         .narrow(1, 0, limit);
  const auto all = kept_in_order.sum(1);
  return {index, all.clamp_max(limit), all > limit};
}

}  // namespace cellroute::ops
