#include "model/anchor_generator.h"

#include "error.h"

namespace cellroute::model {
namespace {

/** [ratios * sizes, 4]; a ratio is height / width. Corners are rounded half to even. */
torch::Tensor make_cell_anchors(const std::vector<double>& sizes,
                                const std::vector<double>& aspect_ratios) {
  const auto scales = torch::tensor(sizes, torch::kFloat32);
  const auto height_ratios = torch::tensor(aspect_ratios, torch::kFloat32).sqrt();
  const auto widths = ((1 / height_ratios).unsqueeze(1) * scales).flatten();
  const auto heights = (height_ratios.unsqueeze(1) * scales).flatten();
  return (torch::stack({-widths, -heights, widths, heights}, 1) / 2).round();
}

}  // namespace

AnchorGenerator::AnchorGenerator(const AnchorConfig& config) {
  if (config.sizes.empty() || config.sizes.size() != config.aspect_ratios.size()) {
    throw Error("INVALID_CONFIG",
                "Anchors need one list of sizes and one of aspect ratios per level");
  }
  for (size_t i = 0; i < config.sizes.size(); ++i) {
    cell_anchors_.push_back(make_cell_anchors(config.sizes[i], config.aspect_ratios[i]));
    if (cell_anchors_.back().size(0) == 0 ||
        cell_anchors_.back().size(0) != cell_anchors_.front().size(0)) {
      throw Error("INVALID_CONFIG", "Every level needs the same number of anchors, at least one");
    }
  }
}

torch::Tensor AnchorGenerator::operator()(size_t level, ImageSize grid, ImageSize image,
                                          torch::Device device) const {
  const auto cell = cell_anchors_.at(level).to(device);
  // Strides are whole pixels, as in torchvision.
  const int64_t stride_y = image.height / grid.height, stride_x = image.width / grid.width;
  const auto y = torch::arange(grid.height, cell.options()) * stride_y;
  const auto x = torch::arange(grid.width, cell.options()) * stride_x;
  const auto grid_yx = torch::meshgrid({y, x}, "ij");
  const auto shifts = torch::stack({grid_yx[1], grid_yx[0], grid_yx[1], grid_yx[0]}, 2);
  return (shifts.unsqueeze(2) + cell).view({-1, 4});
}

}  // namespace cellroute::model
