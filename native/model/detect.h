#pragma once

#include <torch/types.h>

#include <functional>
#include <optional>
#include <vector>

#include "engine/job.h"
#include "model/config.h"
#include "model/resnet.h"
#include "model/roi_heads.h"
#include "model/rpn.h"
#include "model/transform.h"

namespace cellroute::model {

/** Thresholds that one call may override; the configuration's values apply otherwise. */
struct DetectOptions {
  double score_threshold;
  double nms_threshold;
  int64_t detections_per_image;
  int64_t rpn_pre_nms_top_n;
  int64_t rpn_post_nms_top_n;
  double rpn_nms_threshold;
  double rpn_score_threshold;
  /** Pixels of the network's input per pixel of the image; overrides the network's own resize. */
  std::optional<double> scale = std::nullopt;

  static DetectOptions of(const MaskRcnnConfig& config);
  bool operator==(const DetectOptions&) const = default;
};

/** The detections of one image by decreasing score, in pixels of the original image. */
struct Detections {
  torch::Tensor boxes;               // [N, 4] float32, x1 y1 x2 y2
  torch::Tensor scores;              // [N] float32
  torch::Tensor labels;              // [N] int64, 1..num_classes-1
  torch::Tensor mask_probabilities;  // [N, M, M] float32, for the label's class
  bool detections_capped = false;    // whether detections_per_image dropped some
  bool proposals_capped = false;     // whether rpn_post_nms_top_n dropped some
};

/** The layers of a Mask R-CNN that have weights: its modules, or a plan compiled for inference.
 *  The outputs of pyramid() are inputs of the others, in whatever type and layout the
 *  implementation uses. */
class MaskRcnnLayers {
 public:
  virtual ~MaskRcnnLayers() = default;

  /** Maps normalised images [N, 3, H, W] to [N, C, Hi, Wi] per level, finest first, the extra
   *  level last. */
  virtual std::vector<torch::Tensor> pyramid(const torch::Tensor& images,
                                             const Progress& progress) = 0;

  /** Returns float32. */
  virtual RpnPredictions propose(const std::vector<torch::Tensor>& levels) = 0;

  /** RoIs [K, 5]; `levels` without the extra one. Returns float32. */
  virtual BoxPredictions predict_boxes(const std::vector<torch::Tensor>& levels,
                                       const torch::Tensor& rois,
                                       const std::vector<ImageSize>& images) = 0;

  /** Mask probabilities [K, 2 M, 2 M] float32 of RoIs [K, 5], each for its label in labels [K]. */
  virtual torch::Tensor predict_masks(const std::vector<torch::Tensor>& levels,
                                      const torch::Tensor& rois, const torch::Tensor& labels,
                                      const std::vector<ImageSize>& images) = 0;
};

/** Chooses which detections of an image get a mask and are returned: rows, increasing, of boxes [K,
 * 4] in pixels of the resized image. An empty function keeps all. */
using BoxFilter = std::function<torch::Tensor(const torch::Tensor& boxes)>;

/** The detections that the filter keeps. */
BoxDetections filtered(BoxDetections found, const BoxFilter& filter);

/** The parts of a Mask R-CNN without weights. */
struct DetectionContext {
  const MaskRcnnConfig& config;
  const GeneralizedRcnnTransform& transform;
  const RegionProposalNetworkImpl& rpn;
  const BoxCoder& box_coder;
};

/** The levels that RoIAlign reads: all except the extra one. */
std::vector<torch::Tensor> roi_levels(const MaskRcnnConfig& config,
                                      const std::vector<torch::Tensor>& levels);

/** Predictions for all RoIs [K, 5] of a batch, in chunks that bound the head's memory. */
BoxPredictions predict_boxes(const DetectionContext& context, MaskRcnnLayers& parts,
                             const std::vector<torch::Tensor>& levels, const torch::Tensor& rois,
                             const std::vector<ImageSize>& images);

/** Mask probabilities of each image's detections for their classes: [Ki, 2 M, 2 M] float32. */
std::vector<torch::Tensor> detect_masks(const DetectionContext& context, MaskRcnnLayers& parts,
                                        const std::vector<torch::Tensor>& levels,
                                        const std::vector<BoxDetections>& detections,
                                        const std::vector<ImageSize>& images,
                                        const JobContext& poll);

/** Finds the objects in each image, [3, H, W] float of any size from 1x1, with intensities
 *  scaled as in training and not yet normalised. Runs without gradients. Images of one call are
 *  padded to a common size, which changes values near the borders slightly, as in torchvision.
 *  Reports the stages transform, backbone, proposals, boxes and masks, from 0 to 0.9; the caller
 *  pastes the masks. */
std::vector<Detections> detect(const DetectionContext& context, MaskRcnnLayers& parts,
                               const std::vector<torch::Tensor>& images,
                               const DetectOptions& options, const JobContext& poll,
                               const BoxFilter& filter = {});

/** The boxes of one image's detections, in pixels of the network's input: the pass without its
 *  mask head. */
BoxDetections detect_boxes(const DetectionContext& context, MaskRcnnLayers& parts,
                           const torch::Tensor& image, const DetectOptions& options,
                           const JobContext& poll);

/** The detections of one image for several NMS thresholds. */
struct Candidates {
  /** The union over all thresholds, by decreasing score. */
  Detections detections;
  /** [N, thresholds] bool: whether detect() with that threshold keeps the detection. */
  torch::Tensor kept_by;
  /** Highest score of what detections_per_image dropped for any of the thresholds; 0 for nothing.
   */
  double dropped_score = 0;
};

/** The detections in an image [3, H, W] with each of the given values for options.nms_threshold.
 *  The network runs once. */
Candidates candidates(const DetectionContext& context, MaskRcnnLayers& parts,
                      const torch::Tensor& image, const DetectOptions& options,
                      const std::vector<double>& nms_thresholds, const JobContext& poll);

}  // namespace cellroute::model
