#pragma once

#include <torch/torch.h>

#include <vector>

#include "model/anchor_generator.h"
#include "model/box_coder.h"
#include "model/config.h"
#include "model/transform.h"
#include "ops/nms.h"

namespace cellroute::model {

/** What the RPN head says of every anchor, a level each. */
struct RpnPredictions {
  std::vector<torch::Tensor> objectness;  // [N, A, H, W] logits
  std::vector<torch::Tensor> deltas;      // [N, 4 A, H, W] box offsets

  /** Level i by anchor, in the anchors' order: [N, H W A] and [N, H W A, 4]. */
  torch::Tensor flat_objectness(size_t level) const;
  torch::Tensor flat_deltas(size_t level) const;
};

/** Convolutions shared by all levels, then objectness and box offsets of every anchor.
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

/** What is kept of a level before NMS and of an image after it, and at which thresholds. */
struct ProposalOptions {
  int64_t pre_nms_top_n;
  int64_t post_nms_top_n;
  double nms_threshold;
  double score_threshold;
  double min_size;
};

/** Anchors that pass the cut before NMS, moved by their offsets, all levels one after the other. */
struct BestAnchors {
  torch::Tensor boxes;   // [N, K, 4] in pixels of the resized image, not clipped
  torch::Tensor scores;  // [N, K] probabilities
  torch::Tensor levels;  // [K] int64
};

struct Proposals {
  torch::Tensor boxes;  // [K, 4] in pixels of the resized image, by falling objectness
  bool capped = false;  // post_nms_top_n dropped some
};

/** Proposals of all images in tensors whose shapes are known beforehand. */
struct PaddedProposals {
  torch::Tensor boxes;   // [N, P, 4]; past an image's count they repeat one of its boxes
  ops::PaddedKept kept;  // how many of them count
};

/** Region proposal network (Ren et al. 2015). Keys: head. */
class RegionProposalNetworkImpl : public torch::nn::Module {
 public:
  RegionProposalNetworkImpl(const RpnConfig& config, int64_t channels);

  RpnHead& head() { return head_; }
  const AnchorGenerator& anchor_generator() const { return anchor_generator_; }
  const BoxCoder& box_coder() const { return box_coder_; }

  /** The anchors of each level, where the predictions lie. `batch` is the size of the images'
   *  tensor. */
  std::vector<torch::Tensor> anchors(const RpnPredictions& predictions, ImageSize batch) const;

  BestAnchors best_anchors(const RpnPredictions& predictions,
                           const std::vector<torch::Tensor>& anchors, int64_t pre_nms_top_n) const;

  /** The best anchors of each image, moved by their offsets and cut to its size. No gradient runs
   *  through them. */
  std::vector<Proposals> filter_proposals(const RpnPredictions& predictions,
                                          const std::vector<torch::Tensor>& anchors,
                                          const std::vector<ImageSize>& sizes,
                                          const ProposalOptions& options) const;

  /** The same of all images at once: on a GPU the host waits for nothing. */
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
