#pragma once

#include <torch/torch.h>

#include <list>
#include <memory>
#include <vector>

#include "engine/cuda/graph.h"
#include "model/detect.h"
#include "model/detect_padded.h"

namespace cellroute::infer {

/** model::detect for images of one size on a GPU: the host waits once, for how many there are,
 *  before the masks. From a size's second batch on, everything up to there is one CUDA graph.
 *  CELLROUTE_CUDA_GRAPHS=0 in the environment leaves the graphs out. */
class DevicePass {
 public:
  std::vector<model::Detections> detect(const model::DetectionContext& context,
                                        model::MaskRcnnLayers& parts,
                                        const std::vector<torch::Tensor>& images,
                                        const model::DetectOptions& options,
                                        const JobContext& poll);

 private:
  std::vector<model::Detections> detect_some(const model::DetectionContext& context,
                                             model::MaskRcnnLayers& parts,
                                             const std::vector<torch::Tensor>& images,
                                             const model::DetectOptions& options,
                                             const JobContext& poll);

  /** All that a recording depends on. */
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
    torch::Tensor input;  // what the recording reads
    std::unique_ptr<cuda::Graph> graph;
    bool ran = false;
  };

  void run(Pass& pass, const model::DetectionContext& context, model::MaskRcnnLayers& parts,
           const torch::Tensor& input);

  std::list<Pass> passes_;  // the last used first
};

}  // namespace cellroute::infer
