#include "train/mask_rcnn_loss.h"

#include <string>

#include "error.h"
#include "model/convolution.h"
#include "model/device_of.h"
#include "model/multi_scale_roi_align.h"
#include "train/roi_loss.h"
#include "train/rpn_loss.h"

namespace cellroute::train {
namespace {

// Where the stages begin, as shares of a step: forward is about a third of it.
constexpr double kBackboneBegins = 0.01;
constexpr double kProposalsBegin = 0.15;
constexpr double kBoxesBegin = 0.25;
constexpr double kMasksBegin = 0.3;

[[noreturn]] void refuse(size_t index, const std::string& what) {
  throw Error("INVALID_ARGUMENT", "Picture " + std::to_string(index) + " of the batch: " + what);
}

void check(const Truth& truth, size_t index, const torch::Tensor& picture, int64_t num_classes) {
  const auto& [boxes, labels, masks] = truth;
  const auto cells = static_cast<int64_t>(masks.size());
  if (boxes.dim() != 2 || boxes.size(0) != cells || boxes.size(1) != 4 || labels.dim() != 1 ||
      labels.size(0) != cells || boxes.scalar_type() != torch::kFloat32 ||
      labels.scalar_type() != torch::kInt64) {
    refuse(index, "a cell has a box, a label and a mask");
  }
  if (cells == 0) return;
  for (const auto& mask : masks) {
    if (mask.height != picture.size(1) || mask.width != picture.size(2)) {
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

std::vector<torch::Tensor> resized_boxes(const std::vector<Truth>& truths,
                                         const std::vector<torch::Tensor>& pictures,
                                         const model::ImageBatch& batch) {
  std::vector<torch::Tensor> boxes;
  for (size_t i = 0; i < truths.size(); ++i) {
    boxes.push_back(model::resize_boxes(truths[i].boxes, {pictures[i].size(1), pictures[i].size(2)},
                                        batch.sizes[i]));
  }
  return boxes;
}

std::vector<torch::Tensor> boxes_of(const std::vector<RoiExamples>& examples) {
  std::vector<torch::Tensor> boxes;
  for (const auto& some : examples) boxes.push_back(some.boxes);
  return boxes;
}

std::vector<torch::Tensor> on(torch::Device device, std::vector<torch::Tensor> pictures) {
  for (auto& picture : pictures) picture = picture.to(device, /*non_blocking=*/true);
  return pictures;
}

// Under autocast the layers give bfloat16; boxes, their choice and the losses need more digits.

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

MaskRcnnLosses mask_rcnn_losses(model::MaskRcnn& network,
                                const std::vector<torch::Tensor>& pictures,
                                const std::vector<Truth>& truths, const SamplingOptions& options,
                                const at::Generator& generator, const Poll& poll) {
  const auto& config = network->config();
  TORCH_CHECK(pictures.size() == truths.size(), "one truth a picture: ", pictures.size(),
              " pictures and ", truths.size(), " truths");
  for (size_t i = 0; i < truths.size(); ++i) {
    check(truths[i], i, pictures[i], config.num_classes);
  }

  poll("transform", 0);
  const auto transform =
      options.skip_resize ? network->transform().without_resize() : network->transform();
  const auto device = model::device_of(*network);
  // Truths, matching and sampling stay on the CPU, where they are the same for every device.
  const auto batch = transform(on(device, pictures));
  const auto boxes = resized_boxes(truths, pictures, batch);
  poll("backbone", kBackboneBegins);
  const auto layout = model::has_batch_statistics(*network) ? at::MemoryFormat::Contiguous
                                                            : at::MemoryFormat::ChannelsLast;
  auto levels = network->backbone()(batch.tensors.contiguous(layout), [&poll](double done) {
    poll("backbone", kBackboneBegins + done * (kProposalsBegin - kBackboneBegins));
  });

  poll("proposals", kProposalsBegin);
  auto& rpn = network->rpn();
  auto predictions = rpn->head()(levels);
  to_float32(predictions.objectness);
  to_float32(predictions.deltas);
  const auto rpn_loss = rpn_losses(*rpn, predictions, batch, boxes, options, generator);
  const auto proposals = rpn->filter_proposals(
      predictions, batch,
      {options.rpn_pre_nms_top_n, options.rpn_post_nms_top_n, config.rpn.nms_threshold,
       config.rpn.score_threshold, config.rpn.min_size});

  poll("boxes", kBoxesBegin);
  auto& heads = network->roi_heads();
  levels = network->roi_levels(levels);
  to_float32(levels);
  std::vector<RoiExamples> examples, cells;
  for (size_t i = 0; i < truths.size(); ++i) {
    examples.push_back(
        choose_rois(proposals[i].boxes.cpu(), boxes[i], truths[i].labels, options, generator));
    cells.push_back(examples.back().positive());
  }
  const auto boxes_in =
      heads->pool_boxes(levels, model::to_rois(boxes_of(examples)).to(device), batch.sizes);
  const auto box_loss =
      box_losses(heads->box_coder(), to_float32(heads->predict_boxes(boxes_in)), examples, boxes);

  poll("masks", kMasksBegin);
  const auto masks_in =
      heads->pool_masks(levels, model::to_rois(boxes_of(cells)).to(device), batch.sizes);
  const auto mask_logits = heads->predict_masks(masks_in).to(torch::kFloat32);
  return {box_loss.classifier, box_loss.box_reg, mask_loss(mask_logits, cells, truths, batch.sizes),
          rpn_loss.objectness, rpn_loss.box_reg};
}

}  // namespace cellroute::train
