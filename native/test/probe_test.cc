#include "infer/probe.h"

#include "tensors.h"

namespace probe_test {

using namespace cellroute;

TEST_CASE("probe: the contrast of a block is the standard deviation of its values") {
  const int64_t height = 11, width = 14;
  const auto values = torch::randint(0, 256, {height, width, 3}, torch::kUInt8);
  io::Image image{
      .type = io::Image::Type::kU8,
      .bytes = {values.data_ptr<uint8_t>(), values.data_ptr<uint8_t>() + values.numel()},
      .width = width,
      .height = height,
      .channels = 3};
  const auto found = infer::block_contrast(image, {}, 3, 4);
  REQUIRE(found.size() == 12);
  const auto grey = values.to(torch::kFloat64).mean(2) / 255;
  // A pixel belongs to the block that its share of the side falls into.
  const auto block_of = [](int64_t length, int64_t blocks) {
    return torch::arange(length).mul(blocks).div(length, "floor");
  };
  for (int64_t row = 0; row < 3; ++row) {
    for (int64_t column = 0; column < 4; ++column) {
      const auto block = grey.index_select(0, (block_of(height, 3) == row).nonzero().squeeze(1))
                             .index_select(1, (block_of(width, 4) == column).nonzero().squeeze(1));
      const double expected = block.std(/*unbiased=*/false).item<double>();
      CHECK(found[static_cast<size_t>(row * 4 + column)] ==
            doctest::Approx(expected).epsilon(1e-4));
    }
  }
}

}  // namespace probe_test
