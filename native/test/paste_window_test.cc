#include "ops/paste_window.h"

#include <limits>
#include <utility>
#include <vector>

#include "ops/paste.h"
#include "ops/run_writer.h"
#include "tensors.h"

namespace paste_window_test {

namespace ops = cellroute::ops;

namespace {

/** Pastes a mask column by column, each independently, as the threads of a GPU do. */
cellroute::mask::Rle cut(const torch::Tensor& mask, const torch::Tensor& box, int64_t height,
                         int64_t width, float threshold) {
  const auto* values = mask.const_data_ptr<float>();
  const auto window = ops::window_of(box.const_data_ptr<float>(), mask.size(0), height, width);
  ops::RunWriter runs(static_cast<uint32_t>(height), static_cast<uint32_t>(width));
  for (int64_t x = window.x_begin; x < window.x_end; ++x) {
    ops::for_each_column_run(values, mask.size(0), window, x, threshold,
                             [&](int64_t begin, int64_t end) {
                               runs.add(static_cast<uint64_t>(x * height + begin),
                                        static_cast<uint64_t>(x * height + end));
                             });
  }
  return std::move(runs).finish();
}

}  // namespace

TEST_CASE("masks pasted column by column, as on a GPU, are bit-identical to the CPU's") {
  torch::manual_seed(41);
  constexpr int64_t kCount = 60, kHeight = 97, kWidth = 130;
  const auto masks = torch::rand({kCount, 14, 14});
  const auto corner = torch::rand({kCount, 2}) * 140 - 20;
  auto boxes = torch::cat({corner, corner + torch::rand({kCount, 2}) * 120}, 1);
  // A box over the whole image, one outside, one without area, and a NaN.
  boxes[0] = torch::tensor({-40.0F, -40.0F, 200.0F, 200.0F});
  boxes[1] = torch::tensor({500.0F, 500.0F, 600.0F, 600.0F});
  boxes[2] = torch::tensor({10.0F, 10.0F, 10.0F, 10.0F});
  boxes[3] = torch::full({4}, std::numeric_limits<float>::quiet_NaN());
  boxes[4] = torch::tensor({-1e30F, 0.0F, 1e30F, 9.0F});
  for (const double threshold : {0.0, 0.5, 0.9}) {
    const auto expected = ops::paste_masks(masks, boxes, kHeight, kWidth, threshold);
    for (int64_t i = 0; i < kCount; ++i) {
      CAPTURE(i);
      const auto own = cut(masks[i], boxes[i], kHeight, kWidth, static_cast<float>(threshold));
      CHECK(own.counts == expected[i].counts);
    }
  }
}

}  // namespace paste_window_test
