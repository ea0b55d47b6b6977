#pragma once

#include <vector>

#include "model/anchor_generator.h"
#include "model/box_coder.h"
#include "model/config.h"
#include "model/transform.h"
#include "nn.h"
#include "ops/nms.h"

namespace cellroute::model {

/** Outputs of the RPN head for every anchor, one tensor per level. */
struct RpnPredictions {
  std::vector<torch::Tensor> objectness;  // [N, A, H, W] logits
  std::vector<torch::Tensor> deltas;      // [N, 4 A, H, W] box offsets

  /** Level i per anchor, in the anchors' order: [N, H W A] and [N, H W A, 4]. */
  torch::Tensor flat_objectness(size_t level) const;
  torch::Tensor flat_deltas(size_t level) const;
};

/** Convolutions shared by all levels, followed by objectness and box offsets of every anchor.
 *  Keys: conv.i.0, cls_logits, bbox_pred. */
class RpnHeadImpl : public torch::nn::Module {
 public:
  RpnHeadImpl(int64_t channels, int64_t anchors_per_location, int64_t conv_depth);

  RpnPredictions forward(const std::vector<torch::Tensor>& levels);

 private:
  torch::nn::Sequential conv_;
  torch::nn::Conv2d cls_logits_, bbox_pred_;
};
TORCH_MODULE(RpnHead);

/** Numbers of proposals kept per level before NMS and per image after it, and the thresholds. */
struct ProposalOptions {
  int64_t pre_nms_top_n;
  int64_t post_nms_top_n;
  double nms_threshold;
  double score_threshold;
  double min_size;
};

/** Anchors selected before NMS with their offsets applied, all levels concatenated. */
struct BestAnchors {
  torch::Tensor boxes;   // [N, K, 4] in pixels of the resized image, not clipped
  torch::Tensor scores;  // [N, K] probabilities
  torch::Tensor levels;  // [K] int64
};

struct Proposals {
  torch::Tensor boxes;  // [K, 4] in pixels of the resized image, by decreasing objectness
  bool capped = false;  // whether post_nms_top_n dropped some
};

/** Proposals of all images in tensors whose shapes do not depend on values. */
struct PaddedProposals {
  torch::Tensor boxes;   // [N, P, 4]; rows after an image's count repeat one of its boxes
  ops::PaddedKept kept;  // number of valid rows per image
};

/** Region proposal network (Ren et al. 2015). Keys: head. */
class RegionProposalNetworkImpl : public torch::nn::Module {
 public:
  RegionProposalNetworkImpl(const RpnConfig& config, int64_t channels);

  RpnHead& head() { return head_; }
  const AnchorGenerator& anchor_generator() const { return anchor_generator_; }
  const BoxCoder& box_coder() const { return box_coder_; }

  /** The anchors of each level, on the predictions' device. `batch` is the size of the batch
   *  tensor. */
  std::vector<torch::Tensor> anchors(const RpnPredictions& predictions, ImageSize batch) const;

  BestAnchors best_anchors(const RpnPredictions& predictions,
                           const std::vector<torch::Tensor>& anchors, int64_t pre_nms_top_n) const;

  /** The best anchors of each image with their offsets applied, clipped to the image. No
   *  gradient flows through them. */
  std::vector<Proposals> filter_proposals(const RpnPredictions& predictions,
                                          const std::vector<torch::Tensor>& anchors,
                                          const std::vector<ImageSize>& sizes,
                                          const ProposalOptions& options) const;

  /** The same for all images at once; on a GPU the host never waits. */
  PaddedProposals filter_proposals_padded(const RpnPredictions& predictions,
                                          const std::vector<torch::Tensor>& anchors,
                                          const std::vector<ImageSize>& sizes,
                                          const ProposalOptions& options) const;

 private:
  AnchorGenerator anchor_generator_;
  BoxCoder box_coder_;
  RpnHead head_;
};
TORCH_MODULE(RegionProposalNetwork);

}  // namespace cellroute::model
