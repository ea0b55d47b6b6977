#include "ops/cpu/roi/nms.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/ones.h>

#include <vector>

#include "engine/parallel.h"
#include "ops/box_overlap.h"

namespace cellroute::ops::cpu {
namespace {

/** The boxes as columns, so that the inner loop reads contiguous memory. */
template <typename T>
struct Columns {
  explicit Columns(const at::Tensor& boxes)
      : size(boxes.size(0)), x1(size), y1(size), x2(size), y2(size), area(size) {
    const T* box = boxes.const_data_ptr<T>();
    for (size_t i = 0; i < size; ++i, box += 4) {
      x1[i] = box[0];
      y1[i] = box[1];
      x2[i] = box[2];
      y2[i] = box[3];
      area[i] = (box[2] - box[0]) * (box[3] - box[1]);
    }
  }

  size_t size;
  std::vector<T> x1, y1, x2, y2, area;
};

template <typename T>
void suppress(const Columns<T>& b, size_t begin, size_t end, double iou_threshold, bool* kept) {
  for (size_t i = begin; i < end; ++i) {
    if (!kept[i]) continue;
    for (size_t j = i + 1; j < end; ++j) {
      const T iou = overlap(b.x1[i], b.y1[i], b.x2[i], b.y2[i], b.area[i], b.x1[j], b.y1[j],
                            b.x2[j], b.y2[j], b.area[j]);
      // Two boxes without area have an IoU of NaN and are both kept.
      kept[j] = kept[j] & !(static_cast<double>(iou) > iou_threshold);
    }
  }
}

}  // namespace

at::Tensor nms(const at::Tensor& boxes, const at::Tensor& groups, double iou_threshold) {
  const auto size = static_cast<size_t>(boxes.size(0));
  auto kept = at::ones({boxes.size(0)}, at::kBool);
  std::vector<size_t> starts{0};
  if (groups.defined()) {
    const auto* group = groups.const_data_ptr<int64_t>();
    for (size_t i = 1; i < size; ++i) {
      if (group[i] != group[i - 1]) starts.push_back(i);
    }
  }
  starts.push_back(size);
  AT_DISPATCH_FLOATING_TYPES(boxes.scalar_type(), "nms", [&] {
    const Columns<scalar_t> columns(boxes);
    bool* flags = kept.mutable_data_ptr<bool>();
    parallel_for(0, static_cast<int64_t>(starts.size()) - 1, 1, [&](int64_t begin, int64_t end) {
      for (int64_t g = begin; g < end; ++g) {
        suppress(columns, starts[g], starts[g + 1], iou_threshold, flags);
      }
    });
  });
  return kept;
}

}  // namespace cellroute::ops::cpu
