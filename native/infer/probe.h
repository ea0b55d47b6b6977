#pragma once

#include <cstdint>
#include <vector>

#include "infer/mask_rcnn_plan.h"
#include "io/pixels.h"
#include "io/window.h"

namespace cellroute::infer {

/** A window of the image at a scale. */
struct Probe {
  /** Pixels of the network's input per pixel of the image. */
  double scale;
  /** In pixels of the network's input. */
  io::Window window;
};

/** The boxes in one window, without masks, by decreasing score. */
struct ProbedBoxes {
  std::vector<float> boxes;  // [4 n], x1 y1 x2 y2 in pixels of the window
  std::vector<float> scores;
};

/** Finds boxes in windows of an image, each at a separate scale. Intensities are computed over
 *  the whole image. */
std::vector<ProbedBoxes> probe(MaskRcnnPlan& plan, const io::Image& image,
                               const io::Intensity& intensity, const model::DetectOptions& options,
                               const std::vector<Probe>& probes, const JobContext& poll);

/** The standard deviation of the values in each block of a grid of rows x columns over the image,
 *  row by row. Blocks with content have a high value. Channels are averaged. */
std::vector<float> block_contrast(const io::Image& image, const io::Intensity& intensity,
                                  int64_t rows, int64_t columns);

}  // namespace cellroute::infer
