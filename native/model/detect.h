#pragma once

#include <torch/torch.h>

#include <vector>

#include "engine/job.h"
#include "model/config.h"
#include "model/resnet.h"
#include "model/roi_heads.h"
#include "model/rpn.h"
#include "model/transform.h"

namespace cellroute::model {

/** What one call may change of a model's thresholds; the configuration's values otherwise. */
struct DetectOptions {
  double score_threshold;
  double nms_threshold;
  int64_t detections_per_image;
  int64_t rpn_pre_nms_top_n;
  int64_t rpn_post_nms_top_n;
  double rpn_nms_threshold;
  double rpn_score_threshold;

  static DetectOptions of(const MaskRcnnConfig& config);
  bool operator==(const DetectOptions&) const = default;
};

/** What was found in one image, by falling score, in pixels of the image as it came. */
struct Detections {
  torch::Tensor boxes;               // [N, 4] float32, x1 y1 x2 y2
  torch::Tensor scores;              // [N] float32
  torch::Tensor labels;              // [N] int64, 1..num_classes-1
  torch::Tensor mask_probabilities;  // [N, M, M] float32, of the label's class
  bool detections_capped = false;    // detections_per_image dropped some
  bool proposals_capped = false;     // rpn_post_nms_top_n dropped some
};

/** The parts of a Mask R-CNN that have weights: its modules, or the same compiled for speed. What
 *  pyramid gives, the others take, in whatever type and layout the implementation likes best. */
class MaskRcnnLayers {
 public:
  virtual ~MaskRcnnLayers() = default;

  /** Normalised images [N, 3, H, W] give [N, C, Hi, Wi] a level, finest first, the extra one
   *  last. */
  virtual std::vector<torch::Tensor> pyramid(const torch::Tensor& images,
                                             const Progress& progress) = 0;

  /** float32. */
  virtual RpnPredictions propose(const std::vector<torch::Tensor>& levels) = 0;

  /** RoIs [K, 5]; `levels` without the extra one. float32. */
  virtual BoxPredictions predict_boxes(const std::vector<torch::Tensor>& levels,
                                       const torch::Tensor& rois,
                                       const std::vector<ImageSize>& images) = 0;

  /** RoIs [K, 5] and their labels [K] give the probabilities of each one's label: [K, 2 M, 2 M]
   *  float32. */
  virtual torch::Tensor predict_masks(const std::vector<torch::Tensor>& levels,
                                      const torch::Tensor& rois, const torch::Tensor& labels,
                                      const std::vector<ImageSize>& images) = 0;
};

/** The parts of a Mask R-CNN that have none. */
struct DetectionContext {
  const MaskRcnnConfig& config;
  const GeneralizedRcnnTransform& transform;
  const RegionProposalNetworkImpl& rpn;
  const BoxCoder& box_coder;
};

/** The levels RoIAlign reads: all but the extra one. */
std::vector<torch::Tensor> roi_levels(const MaskRcnnConfig& config,
                                      const std::vector<torch::Tensor>& levels);

/** Of all RoIs [K, 5] of a batch, in chunks that bound the head's memory. */
BoxPredictions predict_boxes(const DetectionContext& context, MaskRcnnLayers& parts,
                             const std::vector<torch::Tensor>& levels, const torch::Tensor& rois,
                             const std::vector<ImageSize>& images);

/** Mask probabilities of each image's detections, of the detection's class: [Ki, 2 M, 2 M]
 *  float32. */
std::vector<torch::Tensor> detect_masks(const DetectionContext& context, MaskRcnnLayers& parts,
                                        const std::vector<torch::Tensor>& levels,
                                        const std::vector<BoxDetections>& detections,
                                        const std::vector<ImageSize>& images,
                                        const JobContext& poll);

/** Finds the objects of each image, [3, H, W] float with intensities scaled as in training and
 *  not yet normalised; any sizes, from 1x1. Runs without gradients. Images of one call are padded
 *  to one size, which moves numbers near the borders a little, as it does in torchvision. Stages:
 *  transform, backbone, proposals, boxes, masks, from 0 to 0.9: pasting the masks is the caller's.
 */
std::vector<Detections> detect(const DetectionContext& context, MaskRcnnLayers& parts,
                               const std::vector<torch::Tensor>& images,
                               const DetectOptions& options, const JobContext& poll);

/** The detections of one image for several NMS thresholds at once. */
struct Candidates {
  /** Of all thresholds together, by falling score. */
  Detections detections;
  /** [N, thresholds] bool: whether detect with that threshold keeps it. */
  torch::Tensor kept_by;
};

/** What detect finds in an image [3, H, W] with each of these in the place of
 *  options.nms_threshold; the network runs once. */
Candidates candidates(const DetectionContext& context, MaskRcnnLayers& parts,
                      const torch::Tensor& image, const DetectOptions& options,
                      const std::vector<double>& nms_thresholds, const JobContext& poll);

}  // namespace cellroute::model
