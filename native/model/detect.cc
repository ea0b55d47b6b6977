#include "model/detect.h"

#include <algorithm>
#include <utility>

#include "engine/profile.h"
#include "model/multi_scale_roi_align.h"

namespace cellroute::model {
namespace {

// Where each stage starts, as a fraction of the whole: approximately its share of the time for a
// ResNet50-FPN and a few hundred cells.
constexpr double kBackboneBegins = 0.01;
constexpr double kPyramidBegins = 0.25;
constexpr double kProposalsBegin = 0.3;
constexpr double kBoxesBegin = 0.42;
constexpr double kMasksBegin = 0.5;
constexpr double kMasksEnd = 0.9;

// Number of RoIs per chunk. Bounds the heads' memory for any number of cells, and lets a cancelled
// job stop between two chunks.
struct Chunks {
  int64_t boxes, masks;

  /** A GPU needs larger chunks to be fully used. */
  static Chunks on(const torch::Device& device) {
    return device.is_cuda() ? Chunks{8192, 1024} : Chunks{1024, 64};
  }
};

template <typename Visit>
void for_each_chunk(const torch::Tensor& rows, int64_t size, Visit visit) {
  for (int64_t begin = 0; begin < rows.size(0); begin += size) {
    visit(begin, rows.narrow(0, begin, std::min(size, rows.size(0) - begin)));
  }
}

std::vector<int64_t> counts_of(const std::vector<torch::Tensor>& lists) {
  std::vector<int64_t> counts;
  for (const auto& list : lists) counts.push_back(list.size(0));
  return counts;
}

/** The data that the images of a call share until their boxes are selected. */
struct Pass {
  ImageBatch batch;
  std::vector<torch::Tensor> levels;  // without the extra one, which only the RPN uses
  std::vector<Proposals> proposals;
  std::vector<BoxPredictions> predictions;  // of each image's proposals
};

/** Splits the predictions of all images into those of each image. */
std::vector<BoxPredictions> split(const BoxPredictions& all,
                                  const std::vector<torch::Tensor>& boxes) {
  std::vector<BoxPredictions> predictions;
  int64_t begin = 0;
  for (const auto& some : boxes) {
    predictions.push_back({all.class_logits.narrow(0, begin, some.size(0)),
                           all.box_regression.narrow(0, begin, some.size(0))});
    begin += some.size(0);
  }
  return predictions;
}

ImageBatch transformed(const DetectionContext& context, const std::vector<torch::Tensor>& images) {
  const StageScope stage("transform");
  return context.transform(images);
}

std::vector<Proposals> propose(const DetectionContext& context, MaskRcnnLayers& parts,
                               const std::vector<torch::Tensor>& levels, const ImageBatch& batch,
                               const DetectOptions& options) {
  RpnPredictions predictions;
  {
    const StageScope stage("rpn_head");
    predictions = parts.propose(levels);
  }
  const StageScope stage("filter_proposals");
  const auto anchors =
      context.rpn.anchors(predictions, {batch.tensors.size(2), batch.tensors.size(3)});
  return context.rpn.filter_proposals(
      predictions, anchors, batch.sizes,
      {options.rpn_pre_nms_top_n, options.rpn_post_nms_top_n, options.rpn_nms_threshold,
       options.rpn_score_threshold, context.config.rpn.min_size});
}

Pass pass(const DetectionContext& context, MaskRcnnLayers& parts,
          const std::vector<torch::Tensor>& images, const DetectOptions& options,
          const JobContext& poll) {
  poll("transform", 0);
  auto batch = transformed(context, images);
  poll("backbone", kBackboneBegins);
  auto levels = parts.pyramid(batch.tensors, [&poll](double done) {
    poll("backbone", kBackboneBegins + done * (kPyramidBegins - kBackboneBegins));
  });
  poll("proposals", kProposalsBegin);
  auto proposals = propose(context, parts, levels, batch, options);
  poll("boxes", kBoxesBegin);
  levels = roi_levels(context.config, levels);
  std::vector<torch::Tensor> boxes;
  for (const auto& some : proposals) boxes.push_back(some.boxes);
  auto predictions =
      split(predict_boxes(context, parts, levels, to_rois(boxes), batch.sizes), boxes);
  return {std::move(batch), std::move(levels), std::move(proposals), std::move(predictions)};
}

BoxDetections boxes_of(const Pass& outputs, size_t image, const DetectionContext& context,
                       const DetectOptions& options) {
  return postprocess_detections(
      outputs.predictions[image], outputs.proposals[image].boxes, outputs.batch.sizes[image],
      context.box_coder,
      {options.score_threshold, options.nms_threshold, options.detections_per_image});
}

}  // namespace

DetectOptions DetectOptions::of(const MaskRcnnConfig& config) {
  return {config.box.score_threshold, config.box.nms_threshold,  config.box.detections_per_image,
          config.rpn.pre_nms_top_n,   config.rpn.post_nms_top_n, config.rpn.nms_threshold,
          config.rpn.score_threshold};
}

std::vector<torch::Tensor> roi_levels(const MaskRcnnConfig& config,
                                      const std::vector<torch::Tensor>& levels) {
  const auto count = static_cast<std::ptrdiff_t>(config.returned_layers.size());
  return {levels.begin(), levels.begin() + count};
}

BoxPredictions predict_boxes(const DetectionContext& context, MaskRcnnLayers& parts,
                             const std::vector<torch::Tensor>& levels, const torch::Tensor& rois,
                             const std::vector<ImageSize>& images) {
  const auto classes = context.config.num_classes;
  BoxPredictions all{torch::empty({rois.size(0), classes}, rois.options()),
                     torch::empty({rois.size(0), classes * 4}, rois.options())};
  const StageScope stage("box_head");
  for_each_chunk(rois, Chunks::on(rois.device()).boxes,
                 [&](int64_t begin, const torch::Tensor& chunk) {
                   const auto some = parts.predict_boxes(levels, chunk, images);
                   all.class_logits.narrow(0, begin, chunk.size(0)).copy_(some.class_logits);
                   all.box_regression.narrow(0, begin, chunk.size(0)).copy_(some.box_regression);
                 });
  return all;
}

std::vector<torch::Tensor> detect_masks(const DetectionContext& context, MaskRcnnLayers& parts,
                                        const std::vector<torch::Tensor>& levels,
                                        const std::vector<BoxDetections>& detections,
                                        const std::vector<ImageSize>& images,
                                        const JobContext& poll) {
  std::vector<torch::Tensor> boxes, labels;
  for (const auto& found : detections) {
    boxes.push_back(found.boxes);
    labels.push_back(found.labels);
  }
  const StageScope stage("mask_head");
  const auto rois = to_rois(boxes);
  const auto all_labels = torch::cat(labels);
  const int64_t side = context.config.mask.output_size * 2;
  const auto probabilities = torch::empty({rois.size(0), side, side}, rois.options());
  for_each_chunk(
      rois, Chunks::on(rois.device()).masks, [&](int64_t first, const torch::Tensor& chunk) {
        const int64_t count = chunk.size(0);
        poll("masks", kMasksBegin + (kMasksEnd - kMasksBegin) * static_cast<double>(first) /
                                        static_cast<double>(rois.size(0)));
        probabilities.narrow(0, first, count)
            .copy_(parts.predict_masks(levels, chunk, all_labels.narrow(0, first, count), images));
      });
  return probabilities.split_with_sizes(counts_of(boxes));
}

BoxDetections detect_boxes(const DetectionContext& context, MaskRcnnLayers& parts,
                           const torch::Tensor& image, const DetectOptions& options,
                           const JobContext& poll) {
  const torch::NoGradGuard no_grad;
  return boxes_of(pass(context, parts, {image}, options, poll), 0, context, options);
}

BoxDetections filtered(BoxDetections found, const BoxFilter& filter) {
  if (!filter) return found;
  auto kept = select(found, filter(found.boxes));
  kept.capped = found.capped;
  return kept;
}

std::vector<Detections> detect(const DetectionContext& context, MaskRcnnLayers& parts,
                               const std::vector<torch::Tensor>& images,
                               const DetectOptions& options, const JobContext& poll,
                               const BoxFilter& filter) {
  const torch::NoGradGuard no_grad;
  const auto outputs = pass(context, parts, images, options, poll);
  std::vector<BoxDetections> found;
  for (size_t i = 0; i < images.size(); ++i) {
    found.push_back(filtered(boxes_of(outputs, i, context, options), filter));
  }
  const auto masks = detect_masks(context, parts, outputs.levels, found, outputs.batch.sizes, poll);

  std::vector<Detections> detections;
  for (size_t i = 0; i < images.size(); ++i) {
    const ImageSize size{images[i].size(1), images[i].size(2)};
    detections.push_back({resize_boxes(found[i].boxes, outputs.batch.sizes[i], size),
                          found[i].scores, found[i].labels, masks[i], found[i].capped,
                          outputs.proposals[i].capped});
  }
  return detections;
}

Candidates candidates(const DetectionContext& context, MaskRcnnLayers& parts,
                      const torch::Tensor& image, const DetectOptions& options,
                      const std::vector<double>& nms_thresholds, const JobContext& poll) {
  const torch::NoGradGuard no_grad;
  const auto outputs = pass(context, parts, {image}, options, poll);
  const auto scored =
      score_boxes(outputs.predictions[0], outputs.proposals[0].boxes, outputs.batch.sizes[0],
                  context.box_coder, options.score_threshold);
  // Masks cost most, so they are computed once for all detections that any threshold keeps; one bit
  // per threshold.
  auto kept_by = torch::zeros({scored.scores.size(0), static_cast<int64_t>(nms_thresholds.size())},
                              scored.scores.options().dtype(torch::kBool));
  double dropped_score = 0;
  for (size_t i = 0; i < nms_thresholds.size(); ++i) {
    const auto order = suppress(scored, nms_thresholds[i]);
    const int64_t count = std::min(options.detections_per_image, order.size(0));
    if (order.size(0) > count) {
      const auto first = scored.scores[order[count].item<int64_t>()].item<double>();
      dropped_score = std::max(dropped_score, first);
    }
    kept_by.select(1, static_cast<int64_t>(i)).index_fill_(0, order.narrow(0, 0, count), true);
  }
  const auto wanted = kept_by.any(1).nonzero().squeeze(1);
  const auto by_score = scored.scores.index_select(0, wanted).argsort(/*stable=*/true, 0, true);
  const auto rows = wanted.index_select(0, by_score);
  const auto found = select(scored, rows);
  const auto masks =
      detect_masks(context, parts, outputs.levels, {found}, outputs.batch.sizes, poll);
  const ImageSize size{image.size(1), image.size(2)};
  return {{resize_boxes(found.boxes, outputs.batch.sizes[0], size), found.scores, found.labels,
           masks[0], dropped_score > 0, outputs.proposals[0].capped},
          kept_by.index_select(0, rows),
          dropped_score};
}

}  // namespace cellroute::model
