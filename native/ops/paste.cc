#include "ops/paste.h"

#include <limits>

#include "engine/profile.h"
#include "ops/cpu/roi/paste.h"
#include "ops/cuda/paste.h"

namespace cellroute::ops {

std::vector<mask::Rle> paste_masks(const at::Tensor& probabilities, const at::Tensor& boxes,
                                   int64_t height, int64_t width, double threshold) {
  TORCH_CHECK(probabilities.dim() == 3 && probabilities.size(1) == probabilities.size(2) &&
                  probabilities.size(1) > 0,
              "paste_masks: probabilities must be [N, M, M], got ", probabilities.sizes());
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(0) == probabilities.size(0) && boxes.size(1) == 4,
              "paste_masks: boxes must be [", probabilities.size(0), ", 4], got ", boxes.sizes());
  TORCH_CHECK(probabilities.scalar_type() == at::kFloat && boxes.scalar_type() == at::kFloat,
              "paste_masks: probabilities and boxes must be float32, got ",
              probabilities.scalar_type(), " and ", boxes.scalar_type());
  TORCH_CHECK(probabilities.device() == boxes.device() && (boxes.is_cpu() || boxes.is_cuda()),
              "paste_masks: probabilities and boxes must be on the CPU or on one GPU, got ",
              probabilities.device(), " and ", boxes.device());
  // Below 0, everything outside the box would belong to the mask as well.
  TORCH_CHECK(threshold >= 0, "paste_masks: threshold must not be negative, got ", threshold);
  constexpr int64_t kMaxPixels = std::numeric_limits<uint32_t>::max();
  TORCH_CHECK(height >= 0 && height <= kMaxPixels && width >= 0 && width <= kMaxPixels &&
                  (width == 0 || height <= kMaxPixels / width),
              "paste_masks: an image has at most ", kMaxPixels, " pixels, got ", height, " x ",
              width);
  const StageScope stage("paste");
  const auto paste = boxes.is_cuda() ? cuda::paste_masks : cpu::paste_masks;
  return paste(probabilities.contiguous(), boxes.contiguous(), static_cast<uint32_t>(height),
               static_cast<uint32_t>(width), static_cast<float>(threshold));
}

}  // namespace cellroute::ops
