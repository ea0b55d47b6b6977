// Runs parts of GPU kernels on the host: the results must be bit-identical to the CPU's.
#include <limits>
#include <vector>

#include "ops/cpu/roi/nms.h"
#include "ops/cpu/roi/roi_align_levels.h"
#include "ops/nms_bits.h"
#include "ops/roi_align_row.h"
#include "tensors.h"

namespace kernel_parts_test {

namespace ops = cellroute::ops;

namespace {

/** Processes the words in the order of the GPU's sweep. */
torch::Tensor nms_by_words(const torch::Tensor& boxes, const torch::Tensor& groups,
                           double threshold) {
  const int64_t size = boxes.size(0), words = (size + ops::kWord - 1) / ops::kWord;
  const auto* corners = boxes.const_data_ptr<float>();
  const auto* group = groups.defined() ? groups.const_data_ptr<int64_t>() : nullptr;
  std::vector<uint64_t> bits(static_cast<size_t>(size * words)), removed(words);
  for (int64_t i = 0; i < size; ++i) {
    for (int64_t word = i / ops::kWord; word < words; ++word) {
      bits[i * words + word] = ops::overlap_word(corners, group, size, i, word, threshold);
    }
  }
  auto kept = torch::empty({size}, torch::kBool);
  for (int64_t word = 0; word < words; ++word) {
    const int64_t begin = word * ops::kWord, rows = std::min(size - begin, ops::kWord);
    std::vector<uint64_t> diagonal;
    for (int64_t r = 0; r < rows; ++r) diagonal.push_back(bits[(begin + r) * words + word]);
    const uint64_t stays = ops::kept_word(removed[word], diagonal.data(), rows);
    for (int64_t r = 0; r < rows; ++r) {
      const bool stay = (stays >> r & 1) != 0;
      kept[begin + r] = stay;
      if (!stay) continue;
      for (int64_t w = word + 1; w < words; ++w) removed[w] |= bits[(begin + r) * words + w];
    }
  }
  return kept;
}

torch::Tensor random_boxes(int64_t count) {
  const auto corner = torch::rand({count, 2}) * 100;
  return torch::cat({corner, corner + torch::rand({count, 2}) * 40}, 1);
}

}  // namespace

TEST_CASE("NMS by words of bits equals the CPU's") {
  for (const int64_t count : {1, 63, 64, 65, 128, 300}) {
    CAPTURE(count);
    torch::manual_seed(count);
    auto boxes = random_boxes(count);
    boxes[count / 2] = torch::full({4}, std::numeric_limits<float>::quiet_NaN());
    const auto groups =
        std::get<0>(torch::randint(0, 4, {count}, torch::kInt64).sort()).contiguous();
    for (const double threshold : {0.0, 0.3, 0.7}) {
      for (const auto& some : {torch::Tensor(), groups}) {
        CHECK(cellroute::test::same(nms_by_words(boxes, some, threshold),
                                    ops::cpu::nms(boxes, some, threshold)));
      }
    }
  }
}

TEST_CASE("RoIAlign's backward pass row by row equals the CPU's") {
  torch::manual_seed(12);
  constexpr int64_t kBoxes = 30, kChannels = 3, kHeight = 20, kWidth = 26;
  const auto corner = torch::rand({kBoxes, 2}) * 220 - 20;
  auto boxes = torch::cat({corner, corner + torch::rand({kBoxes, 2}) * 120}, 1);
  boxes[1] = torch::tensor({500.0F, 500.0F, 600.0F, 600.0F});
  boxes[2] = torch::tensor({0.0F, 0.0F, std::numeric_limits<float>::quiet_NaN(), 9.0F});
  boxes[3] = torch::tensor({-1e8F, -1e8F, 1e8F, 1e8F});
  const auto rois = torch::cat({torch::zeros({kBoxes, 1}), boxes}, 1);
  for (const int64_t ratio : {2, -1}) {
    for (const bool aligned : {false, true}) {
      const ops::RoiAlignParams params{.spatial_scale = 0.125,
                                       .pooled_height = 5,
                                       .pooled_width = 4,
                                       .sampling_ratio = ratio,
                                       .aligned = aligned};
      const auto grad = torch::randn({kBoxes, kChannels, 5, 4});
      const auto expected = ops::cpu::roi_align_levels_backward(
          grad.contiguous(at::MemoryFormat::ChannelsLast), {{1, kChannels, kHeight, kWidth}},
          {params}, rois, torch::zeros({kBoxes}, torch::kInt64))[0];
      auto actual = torch::zeros({1, kChannels, kHeight, kWidth});
      for (int64_t c = 0; c < kChannels; ++c) {
        for (int64_t y = 0; y < kHeight; ++y) {
          auto* row = actual.mutable_data_ptr<float>() + (c * kHeight + y) * kWidth;
          for (int64_t k = 0; k < kBoxes; ++k) {
            const auto axes =
                ops::roi_axes(rois.const_data_ptr<float>() + 5 * k + 1, kHeight, kWidth, params);
            if (!axes.valid) continue;
            ops::add_box_to_row(axes, params, y,
                                grad.const_data_ptr<float>() + (k * kChannels + c) * 20, 4, 1, row,
                                1);
          }
        }
      }
      CHECK(cellroute::test::same(actual, expected.contiguous()));
    }
  }
}

}  // namespace kernel_parts_test
