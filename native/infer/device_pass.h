#pragma once

#include <torch/types.h>

#include <list>
#include <memory>
#include <vector>

#include "engine/cuda/graph.h"
#include "model/detect.h"
#include "model/detect_padded.h"

namespace cellroute::infer {

/** model::detect() for images of one size on a GPU. The host waits once, for the numbers of
 *  detections, before the masks. From the second batch of a size on, everything up to that point
 *  is one CUDA graph. The environment variable CELLROUTE_CUDA_GRAPHS=0 disables graphs. */
class DevicePass {
 public:
  std::vector<model::Detections> detect(const model::DetectionContext& context,
                                        model::MaskRcnnLayers& parts,
                                        const std::vector<torch::Tensor>& images,
                                        const model::DetectOptions& options, const JobContext& poll,
                                        const model::BoxFilter& filter);

 private:
  std::vector<model::Detections> detect_chunk(const model::DetectionContext& context,
                                              model::MaskRcnnLayers& parts,
                                              const std::vector<torch::Tensor>& images,
                                              const model::DetectOptions& options,
                                              const JobContext& poll,
                                              const model::BoxFilter& filter);

  /** Everything a recording depends on. */
  struct Shape {
    int64_t images = 0;
    model::ImageSize batch{}, image{};
    model::DetectOptions options{};

    bool operator==(const Shape&) const = default;
  };

  struct Pass {
    Shape shape;
    std::vector<torch::Tensor> anchors, levels;
    model::PaddedDetections found;
    torch::Tensor input;  // input of the recording
    std::unique_ptr<cuda::Graph> graph;
    bool ran = false;
  };

  void run(Pass& pass, const model::DetectionContext& context, model::MaskRcnnLayers& parts,
           const torch::Tensor& input);

  std::list<Pass> passes_;  // most recently used first
};

}  // namespace cellroute::infer
