#include "ops/mask_targets.h"

#include <ATen/ops/empty.h>

#include "ops/cpu/roi/mask_targets.h"

namespace cellroute::ops {

at::Tensor mask_targets(std::span<const mask::Rle> masks, const at::Tensor& boxes,
                        const at::Tensor& matched, int64_t height, int64_t width, int64_t size) {
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4 && boxes.scalar_type() == at::kFloat &&
                  boxes.device().is_cpu(),
              "mask_targets: boxes must be float32 [K, 4] on the CPU, got ", boxes.scalar_type(),
              " ", boxes.sizes());
  TORCH_CHECK(matched.dim() == 1 && matched.size(0) == boxes.size(0) &&
                  matched.scalar_type() == at::kLong && matched.device().is_cpu(),
              "mask_targets: matched must be int64 [", boxes.size(0), "] on the CPU, got ",
              matched.scalar_type(), " ", matched.sizes());
  TORCH_CHECK(height > 0 && width > 0 && size > 0,
              "mask_targets: height, width and size must be positive, got ", height, ", ", width,
              " and ", size);
  if (boxes.size(0) == 0) return at::empty({0, size, size}, boxes.options());
  TORCH_CHECK(matched.min().item<int64_t>() >= 0 &&
                  matched.max().item<int64_t>() < static_cast<int64_t>(masks.size()),
              "mask_targets: matched must be indices into the ", masks.size(), " masks");
  return cpu::mask_targets(masks, boxes.contiguous(), matched.contiguous(), height, width, size);
}

}  // namespace cellroute::ops
