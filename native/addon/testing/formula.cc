#include "addon/testing/formula.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace cellroute::testing {
namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

uint64_t fnv1a64(const std::string& text) {
  uint64_t state = 0xCBF29CE484222325;
  for (const unsigned char byte : text) state = (state ^ byte) * 0x100000001B3;
  return state;
}

/** A number with 24 bits, which a float represents exactly. */
uint32_t draw(uint64_t seed, int64_t i) {
  uint64_t z = seed + (static_cast<uint64_t>(i) + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  return static_cast<uint32_t>(z >> 40);
}

constexpr double kSteps = 1 << 24;

double spread_of(const std::string& key, const torch::Tensor& tensor) {
  constexpr std::array<const char*, 4> kSmall{"cls_logits", "bbox_pred", "box_predictor",
                                              "mask_fcn_logits"};
  if (tensor.dim() < 2) return 0.05;
  // The weight of a transposed convolution starts with the input channels.
  const int64_t fan_in =
      contains(key, "conv5_mask") ? tensor.size(0) : tensor.numel() / tensor.size(0);
  const bool small = std::any_of(kSmall.begin(), kSmall.end(),
                                 [&](const char* part) { return contains(key, part); });
  return std::sqrt(6.0 / static_cast<double>(fan_in)) * (small ? 0.1 : 1.0);
}

void fill(const std::string& key, const torch::Tensor& tensor, const std::string& last_norm) {
  if (ends_with(key, "num_batches_tracked")) {
    tensor.zero_();
  } else if (ends_with(key, "running_var")) {
    tensor.fill_(1);
  } else if (tensor.dim() == 1 && ends_with(key, ".weight")) {
    tensor.fill_(contains(key, last_norm) ? 0.2 : 1.0);
  } else {
    const auto seed = fnv1a64(key);
    const double spread = spread_of(key, tensor);
    auto* values = tensor.data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      values[i] = static_cast<float>((2 * draw(seed, i) / kSteps - 1) * spread);
    }
  }
}

}  // namespace

std::vector<float> formula_uniform(const std::string& key, int64_t count) {
  const auto seed = fnv1a64(key);
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(draw(seed, i) / kSteps));
  }
  return values;
}

void fill_with_formula(torch::nn::Module& network) {
  const torch::NoGradGuard no_grad;
  auto state = network.named_parameters();
  state.update(network.named_buffers());
  const bool bottleneck = std::any_of(
      state.begin(), state.end(), [](const auto& item) { return contains(item.key(), ".bn3."); });
  for (const auto& item : state) fill(item.key(), item.value(), bottleneck ? ".bn3." : ".bn2.");
}

}  // namespace cellroute::testing
