// Stand-ins for the kernels in an addon without CUDA. No tensor reaches them: a device other than
// the CPU is refused before a network is moved to it.
#include "error.h"
#include "ops/cuda/box_iou.h"
#include "ops/cuda/nms.h"
#include "ops/cuda/paste.h"
#include "ops/cuda/roi_align.h"
#include "ops/cuda/roi_align_levels.h"

namespace cellroute::ops::cuda {
namespace {

[[noreturn]] void refuse() {
  throw Error("DEVICE_UNAVAILABLE", "This addon was built without CUDA");
}

}  // namespace

at::Tensor box_iou(const at::Tensor&, const at::Tensor&) { refuse(); }

at::Tensor nms(const at::Tensor&, const at::Tensor&, double) { refuse(); }

std::vector<mask::Rle> paste_masks(const at::Tensor&, const at::Tensor&, uint32_t, uint32_t,
                                   float) {
  refuse();
}

at::Tensor roi_align_forward(const at::Tensor&, const at::Tensor&, const RoiAlignParams&) {
  refuse();
}

at::Tensor roi_align_backward(const at::Tensor&, const at::Tensor&, at::IntArrayRef,
                              const RoiAlignParams&) {
  refuse();
}

at::Tensor roi_align_levels(const std::vector<at::Tensor>&, const std::vector<RoiAlignParams>&,
                            const at::Tensor&, const at::Tensor&) {
  refuse();
}

std::vector<at::Tensor> roi_align_levels_backward(const at::Tensor&,
                                                  const std::vector<std::vector<int64_t>>&,
                                                  const std::vector<RoiAlignParams>&,
                                                  const at::Tensor&, const at::Tensor&) {
  refuse();
}

}  // namespace cellroute::ops::cuda
