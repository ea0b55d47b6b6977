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

torch::Tensor box_iou(const torch::Tensor&, const torch::Tensor&) { refuse(); }

torch::Tensor nms(const torch::Tensor&, const torch::Tensor&, double) { refuse(); }

std::vector<mask::Rle> paste_masks(const torch::Tensor&, const torch::Tensor&, uint32_t, uint32_t,
                                   float) {
  refuse();
}

torch::Tensor roi_align_forward(const torch::Tensor&, const torch::Tensor&, const RoiAlignParams&) {
  refuse();
}

torch::Tensor roi_align_backward(const torch::Tensor&, const torch::Tensor&, at::IntArrayRef,
                                 const RoiAlignParams&) {
  refuse();
}

torch::Tensor roi_align_levels(const std::vector<torch::Tensor>&,
                               const std::vector<RoiAlignParams>&, const torch::Tensor&,
                               const torch::Tensor&) {
  refuse();
}

std::vector<torch::Tensor> roi_align_levels_backward(const torch::Tensor&,
                                                     const std::vector<std::vector<int64_t>>&,
                                                     const std::vector<RoiAlignParams>&,
                                                     const torch::Tensor&, const torch::Tensor&) {
  refuse();
}

}  // namespace cellroute::ops::cuda
