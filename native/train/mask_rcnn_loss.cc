#include "train/mask_rcnn_loss.h"

#include <string>

#include "error.h"
#include "model/device_of.h"
#include "model/multi_scale_roi_align.h"
#include "train/roi_loss.h"
#include "train/rpn_loss.h"

namespace cellroute::train {
namespace {

// Where each stage starts, as a fraction of a step; the forward pass takes about a third of it.
constexpr double kBackboneBegins = 0.01;
constexpr double kProposalsBegin = 0.15;
constexpr double kBoxesBegin = 0.25;
constexpr double kMasksBegin = 0.3;

[[noreturn]] void refuse(size_t index, const std::string& what) {
  throw Error("INVALID_ARGUMENT", "Image " + std::to_string(index) + " of the batch: " + what);
}

void check(const GroundTruth& ground_truth, size_t index, const torch::Tensor& image,
           int64_t num_classes) {
  const auto& [boxes, labels, masks] = ground_truth;
  const auto cells = static_cast<int64_t>(masks.size());
  if (boxes.dim() != 2 || boxes.size(0) != cells || boxes.size(1) != 4 || labels.dim() != 1 ||
      labels.size(0) != cells || boxes.scalar_type() != torch::kFloat32 ||
      labels.scalar_type() != torch::kInt64) {
    refuse(index, "a cell has a box, a label and a mask");
  }
  if (cells == 0) return;
  for (const auto& mask : masks) {
    if (mask.height != image.size(1) || mask.width != image.size(2)) {
      refuse(index, "a mask is not of its size");
    }
  }
  if (labels.min().item<int64_t>() < 1 || labels.max().item<int64_t>() >= num_classes) {
    refuse(index, "labels must be 1 to " + std::to_string(num_classes - 1));
  }
  const auto sides = boxes.slice(1, 2, 4) - boxes.slice(1, 0, 2);
  if (!(sides > 0).logical_and(sides.isfinite()).all().item<bool>()) {
    refuse(index, "every box must have a width and a height");
  }
}

std::vector<torch::Tensor> resized_boxes(const std::vector<GroundTruth>& ground_truths,
                                         const std::vector<torch::Tensor>& images,
                                         const model::ImageBatch& batch) {
  std::vector<torch::Tensor> boxes;
  for (size_t i = 0; i < ground_truths.size(); ++i) {
    boxes.push_back(model::resize_boxes(ground_truths[i].boxes,
                                        {images[i].size(1), images[i].size(2)}, batch.sizes[i]));
  }
  return boxes;
}

std::vector<torch::Tensor> boxes_of(const std::vector<RoiExamples>& examples) {
  std::vector<torch::Tensor> boxes;
  for (const auto& some : examples) boxes.push_back(some.boxes);
  return boxes;
}

/** From page-locked memory, so that the copy to a GPU runs while the host continues. */
torch::Tensor on(torch::Device device, const torch::Tensor& image) {
  if (!device.is_cuda() || image.is_cuda()) return image.to(device);
  const auto reachable = torch::empty(image.sizes(), image.options().pinned_memory(true));
  return torch::Tensor(reachable).copy_(image).to(device, /*non_blocking=*/true);
}

std::vector<torch::Tensor> on(torch::Device device, std::vector<torch::Tensor> images) {
  for (auto& image : images) image = on(device, image);
  return images;
}

std::vector<torch::Tensor> labels_of(const std::vector<GroundTruth>& ground_truths) {
  std::vector<torch::Tensor> labels;
  for (const auto& ground_truth : ground_truths) labels.push_back(ground_truth.labels);
  return labels;
}

/** The proposals of each image [Ki, 4], on the CPU. */
std::vector<torch::Tensor> propose(const model::RegionProposalNetworkImpl& rpn,
                                   const model::RpnPredictions& predictions,
                                   const std::vector<torch::Tensor>& anchors,
                                   const model::ImageBatch& batch,
                                   const model::ProposalOptions& options) {
  std::vector<torch::Tensor> boxes;
  if (batch.tensors.is_cuda()) {
    const auto all = rpn.filter_proposals_padded(predictions, anchors, batch.sizes, options);
    const auto padded = all.boxes.cpu(), counts = all.kept.count.cpu();
    const auto* count = counts.const_data_ptr<int64_t>();
    for (int64_t n = 0; n < padded.size(0); ++n) {
      boxes.push_back(padded[n].narrow(0, 0, count[n]));
    }
  } else {
    for (const auto& some : rpn.filter_proposals(predictions, anchors, batch.sizes, options)) {
      boxes.push_back(some.boxes);
    }
  }
  return boxes;
}

// Under autocast the layers return bfloat16; boxes, sampling and losses need more digits.

void to_float32(std::vector<torch::Tensor>& maps) {
  for (auto& map : maps) map = map.to(torch::kFloat32);
}

model::BoxPredictions to_float32(const model::BoxPredictions& predictions) {
  return {predictions.class_logits.to(torch::kFloat32),
          predictions.box_regression.to(torch::kFloat32)};
}

}  // namespace

torch::Tensor MaskRcnnLosses::total() const {
  return classifier + box_reg + mask + objectness + rpn_box_reg;
}

MaskRcnnLosses mask_rcnn_losses(model::MaskRcnn& network, const std::vector<torch::Tensor>& images,
                                const std::vector<GroundTruth>& ground_truths,
                                const SamplingOptions& options, const at::Generator& generator,
                                const JobContext& poll, RecordedTrunk* trunk) {
  const auto& config = network->config();
  TORCH_CHECK(images.size() == ground_truths.size(),
              "expected the ground truth of each image, got ", images.size(), " images and ",
              ground_truths.size(), " ground truths");
  for (size_t i = 0; i < ground_truths.size(); ++i) {
    check(ground_truths[i], i, images[i], config.num_classes);
  }

  poll("transform", 0);
  const auto transform =
      options.skip_resize ? network->transform().without_resize() : network->transform();
  const auto device = model::device_of(*network);
  // Ground truth, matching and sampling stay on the CPU and are the same for every device.
  const auto batch = transform(on(device, images));
  const auto boxes = resized_boxes(ground_truths, images, batch);
  poll("backbone", kBackboneBegins);
  const auto progress = [&poll](double done) {
    poll("backbone", kBackboneBegins + done * (kProposalsBegin - kBackboneBegins));
  };
  auto [levels, predictions] = trunk ? (*trunk)(network, batch.tensors, progress)
                                     : run_trunk(network, batch.tensors, progress);

  poll("proposals", kProposalsBegin);
  auto& rpn = network->rpn();
  to_float32(predictions.objectness);
  to_float32(predictions.deltas);
  const auto anchors = rpn->anchors(predictions, {batch.tensors.size(2), batch.tensors.size(3)});
  const auto rpn_loss =
      rpn_losses(rpn->box_coder(), predictions, anchors, boxes, options, generator);
  const auto proposals =
      propose(*rpn, predictions, anchors, batch,
              {options.rpn_pre_nms_top_n, options.rpn_post_nms_top_n, config.rpn.nms_threshold,
               config.rpn.score_threshold, config.rpn.min_size});

  poll("boxes", kBoxesBegin);
  auto& heads = network->roi_heads();
  levels = network->roi_levels(levels);
  to_float32(levels);
  const auto examples = choose_rois(proposals, boxes, labels_of(ground_truths), options, generator);
  std::vector<RoiExamples> cells;
  for (const auto& some : examples) cells.push_back(some.positive());
  const auto boxes_in =
      heads->pool_boxes(levels, model::to_rois(boxes_of(examples)).to(device), batch.sizes);
  const auto box_loss =
      box_losses(heads->box_coder(), to_float32(heads->predict_boxes(boxes_in)), examples, boxes);

  poll("masks", kMasksBegin);
  const auto masks_in =
      heads->pool_masks(levels, model::to_rois(boxes_of(cells)).to(device), batch.sizes);
  const auto mask_logits = heads->predict_masks(masks_in).to(torch::kFloat32);
  return {box_loss.classifier, box_loss.box_reg,
          mask_loss(mask_logits, cells, ground_truths, batch.sizes), rpn_loss.objectness,
          rpn_loss.box_reg};
}

}  // namespace cellroute::train
