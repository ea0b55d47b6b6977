#include "infer/layers.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <utility>

#include "engine/cancel.h"
#include "ops/conv_relu.h"
#include "round_up.h"

namespace cellroute::infer {
namespace {

using Scalars = torch::List<std::optional<at::Scalar>>;
using OptionalTensor = std::optional<torch::Tensor>;

// LibTorch's fused oneDNN operators have no header. They are looked up by name and missing if
// LibTorch was built without oneDNN.
using ReorderConvWeight = torch::Tensor(const torch::Tensor&, at::IntArrayRef, at::IntArrayRef,
                                        at::IntArrayRef, int64_t, at::OptionalIntArrayRef);
using Conv = torch::Tensor(const torch::Tensor&, const torch::Tensor&, const OptionalTensor&,
                           at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t,
                           c10::string_view, Scalars, std::optional<c10::string_view>);
using ConvAdd = torch::Tensor&(torch::Tensor&, const torch::Tensor&, const torch::Tensor&,
                               const OptionalTensor&, at::IntArrayRef, at::IntArrayRef,
                               at::IntArrayRef, int64_t, c10::string_view,
                               std::optional<at::Scalar>, std::optional<c10::string_view>, Scalars,
                               std::optional<c10::string_view>);
using ReorderLinearWeight = torch::Tensor(const torch::Tensor&, std::optional<int64_t>);
using Linear = torch::Tensor(const torch::Tensor&, const torch::Tensor&, const OptionalTensor&,
                             c10::string_view, Scalars, std::optional<c10::string_view>);

template <typename Signature>
c10::TypedOperatorHandle<Signature> find_operator(const char* name, const char* overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

struct FusedOperators {
  c10::TypedOperatorHandle<ReorderConvWeight> reorder_conv_weight =
      find_operator<ReorderConvWeight>("mkldnn::_reorder_convolution_weight", "");
  c10::TypedOperatorHandle<Conv> conv = find_operator<Conv>("mkldnn::_convolution_pointwise", "");
  c10::TypedOperatorHandle<ConvAdd> conv_add =
      find_operator<ConvAdd>("mkldnn::_convolution_pointwise_", "binary");
  c10::TypedOperatorHandle<ReorderLinearWeight> reorder_linear_weight =
      find_operator<ReorderLinearWeight>("mkldnn::_reorder_linear_weight", "");
  c10::TypedOperatorHandle<Linear> linear = find_operator<Linear>("mkldnn::_linear_pointwise", "");
};

/** Null if LibTorch has no such operator, or for a tensor that is not on the CPU. */
const FusedOperators* fused_for(const torch::Tensor& tensor) {
  if (!tensor.is_cpu()) return nullptr;
  static const auto operators = []() -> std::optional<FusedOperators> {
    const bool found =
        c10::Dispatcher::singleton().findSchema({"mkldnn::_convolution_pointwise", ""}).has_value();
    if (!found) return std::nullopt;
    return FusedOperators{};
  }();
  return operators ? &*operators : nullptr;
}

constexpr int64_t kGroups = 1;

c10::string_view attribute(bool relu) { return relu ? "relu" : "none"; }

/** Without oneDNN. An undefined `sum` is not added. */
torch::Tensor plain_conv(const torch::Tensor& input, const torch::Tensor& weight,
                         const torch::Tensor& bias, int64_t stride, int64_t padding,
                         const torch::Tensor& sum, bool relu) {
  if (relu) return ops::conv_relu_values(input, weight, bias, sum, stride, padding);
  auto result = torch::conv2d(input, weight, bias, stride, padding);
  return sum.defined() ? result.add_(sum) : result;
}

}  // namespace

ConvLayer::ConvLayer(const torch::Tensor& weight, const torch::Tensor& bias, int64_t stride,
                     Activation activation, torch::ScalarType compute_dtype)
    : stride_(stride), padding_(weight.size(2) / 2), relu_(activation == Activation::kRelu) {
  throw_if_cancelled();
  const auto maps = activation_dtype(compute_dtype);
  const auto has_side = [&](int64_t side) {
    return weight.size(2) == side && weight.size(3) == side;
  };
  const bool fits = weight.is_cpu() && has_side(3) && stride == 1;
  const auto points = compute_dtype == torch::kInt8 ? torch::kInt16 : compute_dtype;
  const int64_t side =
      fits ? ops::fastest_winograd_side(weight.size(1), weight.size(0), points) : 0;
  if (side > 0) {
    bias_ = bias;
    winograd_.emplace(weight, points, side);
    return;
  }
  if (weight.is_cpu() && has_side(1) && maps == torch::kFloat32) {
    bias_ = bias;
    pointwise_.emplace(weight.flatten(1), compute_dtype);
    return;
  }
  bias_ = bias.to(maps);
  const auto plain = weight.to(maps);
  const auto* operators = fused_for(plain);
  weight_ = operators ? operators->reorder_conv_weight.call(plain, {padding_, padding_},
                                                            {stride_, stride_}, {1, 1}, kGroups,
                                                            std::nullopt)
                      : plain.contiguous(at::MemoryFormat::ChannelsLast);
}

const torch::Tensor& ConvLayer::weight_for(const torch::Tensor& input) const {
  if (input.sizes() != at::IntArrayRef(packed_for_)) {
    weight_ = fused_for(input)->reorder_conv_weight.call(weight_.to_dense(), {padding_, padding_},
                                                         {stride_, stride_}, {1, 1}, kGroups,
                                                         input.sizes());
    packed_for_ = input.sizes().vec();
  }
  return weight_;
}

torch::Tensor ConvLayer::operator()(const torch::Tensor& input) const {
  throw_if_cancelled();
  if (winograd_) return ops::winograd_conv(input, *winograd_, bias_, {}, relu_);
  if (pointwise_) {
    return ops::pointwise_conv(input, *pointwise_, bias_, stride_, {}, /*in_place=*/false, relu_);
  }
  if (const auto* operators = fused_for(input)) {
    return operators->conv.call(input, weight_for(input), bias_, {padding_, padding_},
                                {stride_, stride_}, {1, 1}, kGroups, attribute(relu_), Scalars(),
                                "");
  }
  return plain_conv(input, weight_, bias_, stride_, padding_, {}, relu_);
}

torch::Tensor ConvLayer::add(const torch::Tensor& input, const torch::Tensor& sum) const {
  throw_if_cancelled();
  if (winograd_) return ops::winograd_conv(input, *winograd_, bias_, sum, relu_);
  if (pointwise_) {
    return ops::pointwise_conv(input, *pointwise_, bias_, stride_, sum, /*in_place=*/true, relu_);
  }
  if (const auto* operators = fused_for(input)) {
    auto result = sum;
    operators->conv_add.call(result, input, weight_for(input), bias_, {padding_, padding_},
                             {stride_, stride_}, {1, 1}, kGroups, "add", 1.0,
                             relu_ ? std::optional<c10::string_view>("relu") : std::nullopt,
                             Scalars(), "");
    return result;
  }
  return plain_conv(input, weight_, bias_, stride_, padding_, sum, relu_);
}

torch::Tensor ConvLayer::add_nearest(const torch::Tensor& input, const torch::Tensor& sum) const {
  if (pointwise_) {
    return ops::pointwise_conv(input, *pointwise_, bias_, stride_, sum, /*in_place=*/false, relu_);
  }
  const auto side = [&](int64_t i) { return divide_up(input.size(i), stride_); };
  return add(input, torch::upsample_nearest2d(sum, {side(2), side(3)}));
}

std::variant<ResidualSum::Fused, ResidualSum::Separate> ResidualSum::pack(
    const Affine& last, const Affine& shortcut, int64_t stride, torch::ScalarType compute_dtype) {
  if (last.weight.is_cpu() && ops::has_pointwise_conv_of_two(compute_dtype)) {
    return Fused{
        ops::PointwiseWeights({last.weight.flatten(1), shortcut.weight.flatten(1)}, compute_dtype),
        last.bias + shortcut.bias, stride};
  }
  return Separate{
      ConvLayer(last.weight, last.bias, 1, Activation::kRelu, compute_dtype),
      ConvLayer(shortcut.weight, shortcut.bias, stride, Activation::kNone, compute_dtype)};
}

ResidualSum::ResidualSum(const Affine& last, const Affine& shortcut, int64_t stride,
                         torch::ScalarType compute_dtype)
    : convs_(pack(last, shortcut, stride, compute_dtype)) {}

torch::Tensor ResidualSum::operator()(const torch::Tensor& inside,
                                      const torch::Tensor& maps) const {
  if (const auto* both = std::get_if<Fused>(&convs_)) {
    return ops::pointwise_conv_of_two(inside, maps, both->stride, both->weights, both->bias,
                                      /*relu=*/true);
  }
  const auto& separate = std::get<Separate>(convs_);
  return separate.last.add(inside, separate.shortcut(maps));
}

LinearLayer::LinearLayer(const torch::Tensor& weight, const torch::Tensor& bias,
                         Activation activation, torch::ScalarType compute_dtype)
    : relu_(activation == Activation::kRelu), bias_(bias.to(activation_dtype(compute_dtype))) {
  if (compute_dtype == torch::kInt8) {
    pointwise_.emplace(weight, compute_dtype);
    return;
  }
  const auto plain = weight.to(compute_dtype).contiguous();
  const auto* operators = fused_for(plain);
  packed_ = operators != nullptr;
  weight_ = packed_ ? operators->reorder_linear_weight.call(plain, std::nullopt) : plain;
}

LinearLayer::LinearLayer(bool relu, torch::Tensor bias, torch::Tensor weight)
    : relu_(relu), bias_(std::move(bias)), weight_(std::move(weight)) {}

LinearLayer LinearLayer::unpacked(const Affine& affine, Activation activation) {
  return {activation == Activation::kRelu, affine.bias, affine.weight};
}

torch::Tensor LinearLayer::operator()(const torch::Tensor& input) const {
  throw_if_cancelled();
  if (pointwise_) {
    const auto pixels = input.unsqueeze(-1).unsqueeze(-1);
    return ops::pointwise_conv(pixels, *pointwise_, bias_, /*stride=*/1, {}, /*in_place=*/false,
                               relu_)
        .flatten(1);
  }
  if (packed_) {
    return fused_for(input)->linear.call(input, weight_, bias_, attribute(relu_), Scalars(), "");
  }
  auto result = torch::linear(input, weight_, bias_);
  return relu_ ? result.relu_() : result;
}

}  // namespace cellroute::infer
