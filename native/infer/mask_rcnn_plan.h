#pragma once

#include <torch/types.h>

#include <optional>
#include <vector>

#include "infer/backbone_plan.h"
#include "infer/device_pass.h"
#include "infer/layers.h"
#include "model/mask_rcnn.h"

namespace cellroute::infer {

/** Whether this processor multiplies bfloat16 faster than float32. */
bool supports_bfloat16();

/** Whether this processor has int8 kernels. */
bool supports_int8();

/** A Mask R-CNN compiled for inference with one compute dtype: norms folded into convolutions,
 *  weights packed, all maps channels-last, activations and sums fused. Results equal those of
 *  the network's own modules up to rounding. */
class MaskRcnnPlan final : public model::MaskRcnnLayers {
 public:
  /** `compute_dtype` is float32, bfloat16 or int8 where supported, or float16 on a GPU. Keeps
   *  the network and reads its weights immediately, on their device. */
  MaskRcnnPlan(model::MaskRcnn network, torch::ScalarType compute_dtype);

  std::vector<model::Detections> detect(const std::vector<torch::Tensor>& images,
                                        const model::DetectOptions& options,
                                        const JobContext& poll);

  /** The same for one image that already has the size the network should see. */
  model::Detections detect_as_resized(const torch::Tensor& input,
                                      const model::DetectOptions& options, const JobContext& poll,
                                      const model::BoxFilter& filter = {});

  /** The same without masks: boxes in pixels of the input. */
  model::BoxDetections boxes_as_resized(const torch::Tensor& input,
                                        const model::DetectOptions& options,
                                        const JobContext& poll);

  const model::MaskRcnnConfig& config() const { return network_->config(); }

  model::Candidates candidates(const torch::Tensor& image, const model::DetectOptions& options,
                               const std::vector<double>& nms_thresholds, const JobContext& poll);

  /** The device of the network, where its images must be. */
  torch::Device device() const;

  std::vector<torch::Tensor> pyramid(const torch::Tensor& images,
                                     const model::Progress& progress) override;
  model::RpnPredictions propose(const std::vector<torch::Tensor>& levels) override;
  model::BoxPredictions predict_boxes(const std::vector<torch::Tensor>& levels,
                                      const torch::Tensor& rois,
                                      const std::vector<model::ImageSize>& images) override;
  torch::Tensor predict_masks(const std::vector<torch::Tensor>& levels, const torch::Tensor& rois,
                              const torch::Tensor& labels,
                              const std::vector<model::ImageSize>& images) override;

 private:
  MaskRcnnPlan(model::MaskRcnn network, torch::ScalarType compute_dtype, const State& state);

  model::GeneralizedRcnnTransform transform_for(const model::DetectOptions& options) const;

  /** `transform` must live as long as the context. */
  model::DetectionContext context_with(const model::GeneralizedRcnnTransform& transform) const;

  std::vector<model::Detections> run(const model::DetectionContext& context,
                                     const std::vector<torch::Tensor>& images,
                                     const model::DetectOptions& options, const JobContext& poll,
                                     const model::BoxFilter& filter = {});

  /** fc6 of pooled features [K, C, S, S], channels-last. */
  torch::Tensor hidden_of(const torch::Tensor& pooled) const;

  model::MaskRcnn network_;
  torch::ScalarType compute_dtype_;
  DevicePass device_pass_;
  ResNetPlan body_;
  PyramidPlan fpn_;
  std::vector<ConvLayer> rpn_convs_;
  ConvLayer rpn_predictor_;  // objectness, then offsets
  bool fc6_reads_channels_first_;
  LinearLayer fc6_, fc7_;
  Affine box_predictor_;  // class logits, then offsets; float32
  std::vector<ConvLayer> mask_convs_;
  LinearLayer mask_upscale_;    // a transposed convolution: [K M M, C] to four pixels each
  LinearLayer mask_predictor_;  // for the classes without the background
};

}  // namespace cellroute::infer
