#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The networks' configurations as they arrive from JavaScript, validated and complete. Defaults are
// defined in lib/config only.
namespace cellroute::model {

enum class NormKind { kFrozenBatch, kBatch, kGroup };

struct NormConfig {
  NormKind kind = NormKind::kFrozenBatch;
  double eps = 1e-5;
  int64_t groups = 32;
};

struct ResNetConfig {
  int64_t depth = 50;  // 18, 34, 50, 101
  int64_t width = 64;  // channels after the stem
  NormConfig norm;
};

struct NormalizeConfig {
  std::vector<double> mean;  // 3, in units of the intensity-scaled image
  std::vector<double> std;
};

/** GeneralizedRCNNTransform's resize: the shorter side becomes min_size unless the longer side
 *  would exceed max_size; or both sides are multiplied by `scale`, within the same limit. */
struct ImageResize {
  int64_t min_size = 800;
  int64_t max_size = 1333;
  std::optional<double> scale;
};

struct AnchorConfig {
  std::vector<std::vector<double>> sizes;          // one list per level
  std::vector<std::vector<double>> aspect_ratios;  // one list per level, height / width
};

struct RpnConfig {
  AnchorConfig anchors;
  int64_t conv_depth = 1;
  int64_t pre_nms_top_n = 1000;
  int64_t post_nms_top_n = 1000;
  double nms_threshold = 0.7;
  double score_threshold = 0.0;
  double min_size = 1e-3;
};

struct BoxHeadConfig {
  int64_t output_size = 7;
  int64_t sampling_ratio = 2;
  int64_t hidden = 1024;
  double score_threshold = 0.05;
  double nms_threshold = 0.5;
  int64_t detections_per_image = 100;
  std::vector<double> regression_weights;  // 4
};

struct MaskHeadConfig {
  int64_t output_size = 14;
  int64_t sampling_ratio = 2;
  std::vector<int64_t> channels;  // of the convolutions
  int64_t hidden = 256;           // of the predictor's transposed convolution
};

struct MaskRcnnConfig {
  ResNetConfig backbone;
  std::vector<int64_t> returned_layers;  // 1..4, increasing
  int64_t fpn_channels = 256;
  bool extra_level = true;  // max pooling of the last map, used by the RPN only
  int64_t num_classes = 2;  // including the background
  NormalizeConfig normalize;
  std::optional<ImageResize> resize;
  int64_t size_divisible = 32;
  RpnConfig rpn;
  BoxHeadConfig box;
  MaskHeadConfig mask;
};

enum class ClassifierHead {
  kLinear,      // torchvision: average pool, fc
  kConcatPool,  // fastai: max and average pool, norm, dropout, linear, ReLU, norm, dropout, linear
};

enum class ResizeMethod { kNone, kCrop, kSquish };

struct ClassifierConfig {
  ResNetConfig backbone;
  ClassifierHead head = ClassifierHead::kLinear;
  int64_t head_hidden = 512;  // kConcatPool only
  int64_t num_classes = 2;
  NormalizeConfig normalize;
  /** Applied to 8-bit images like Pillow's antialiased bilinear resize. */
  ResizeMethod resize = ResizeMethod::kNone;
  int64_t resize_height = 0;
  int64_t resize_width = 0;
};

}  // namespace cellroute::model
