#include "train/ground_truth.h"

#include <string>

#include "error.h"

namespace cellroute::train {

GroundTruth make_ground_truth(std::vector<mask::Rle> masks, const torch::Tensor& labels) {
  auto boxes = torch::empty({static_cast<int64_t>(masks.size()), 4});
  float* corner = boxes.data_ptr<float>();
  for (size_t i = 0; i < masks.size(); ++i, corner += 4) {
    const auto box = mask::bounding_box(masks[i]);
    if (box.width == 0) {
      throw Error("INVALID_ARGUMENT", "Mask " + std::to_string(i) + " has no pixels");
    }
    corner[0] = static_cast<float>(box.x);
    corner[1] = static_cast<float>(box.y);
    corner[2] = static_cast<float>(box.x + box.width);
    corner[3] = static_cast<float>(box.y + box.height);
  }
  return {std::move(boxes), labels, std::move(masks)};
}

}  // namespace cellroute::train
