#include "infer/probe.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/profile.h"
#include "infer/vectors.h"
#include "model/transform.h"

namespace cellroute::infer {

std::vector<ProbedBoxes> probe(MaskRcnnPlan& plan, const io::Image& image,
                               const io::Intensity& intensity, const model::DetectOptions& options,
                               const std::vector<Probe>& probes, const JobContext& poll) {
  const torch::InferenceMode inference;
  const io::FloatImage values(image, intensity);
  std::vector<ProbedBoxes> found;
  for (const auto& [scale, window] : probes) {
    poll("scale", static_cast<double>(found.size()) / static_cast<double>(probes.size()));
    const auto size =
        model::resized({image.height, image.width},
                       {.max_size = std::numeric_limits<int64_t>::max(), .scale = scale});
    const auto input = io::read_window(values, image, {0, 0, image.width, image.height},
                                       size.height, size.width, window)
                           .to(plan.device());
    const auto boxes = plan.boxes_as_resized(input, options, JobContext());
    found.push_back({to_vector<float>(boxes.boxes, torch::kFloat32),
                     to_vector<float>(boxes.scores, torch::kFloat32)});
  }
  return found;
}

std::vector<float> block_contrast(const io::Image& image, const io::Intensity& intensity,
                                  int64_t rows, int64_t columns) {
  const io::FloatImage values(image, intensity);
  struct Sums {
    double count = 0, sum = 0, squares = 0;
  };
  std::vector<Sums> blocks(static_cast<size_t>(rows * columns));
  std::vector<float> line(static_cast<size_t>(image.width)), channel(line.size());
  for (int64_t y = 0; y < image.height; ++y) {
    std::ranges::fill(line, 0.0F);
    for (int64_t c = 0; c < values.channels(); ++c) {
      values.read(c, y * image.width, (y + 1) * image.width, channel.data());
      for (size_t x = 0; x < line.size(); ++x) line[x] += channel[x];
    }
    const int64_t row = y * rows / image.height;
    for (int64_t x = 0; x < image.width; ++x) {
      auto& block = blocks[static_cast<size_t>(row * columns + x * columns / image.width)];
      const double value = line[static_cast<size_t>(x)];
      block.count += 1;
      block.sum += value;
      block.squares += value * value;
    }
  }
  std::vector<float> contrast;
  contrast.reserve(blocks.size());
  for (const auto& [count, sum, squares] : blocks) {
    const double mean = count > 0 ? sum / count : 0;
    const double variance = count > 0 ? std::max(0.0, squares / count - mean * mean) : 0;
    contrast.push_back(
        static_cast<float>(std::sqrt(variance) / static_cast<double>(values.channels())));
  }
  return contrast;
}

}  // namespace cellroute::infer
