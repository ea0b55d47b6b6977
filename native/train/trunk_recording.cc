#include "train/trunk_recording.h"

#include <torch/csrc/autograd/autograd.h>

#include <utility>

namespace cellroute::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr const char* kRecording = "recording";

/** A recording as one autograd node. Its inputs are the parameters, for which it returns
 *  gradients. */
struct Replay : torch::autograd::Function<Replay> {
  static variable_list forward(AutogradContext* context,
                               const c10::intrusive_ptr<TrunkRecording>& recording,
                               const torch::Tensor& batch, at::TensorList /*parameters*/) {
    context->saved_data[kRecording] = at::IValue::make_capsule(recording);
    return recording->forward(batch);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto recording = c10::static_intrusive_pointer_cast<TrunkRecording>(
        context->saved_data[kRecording].toCapsule());
    // The recording and the batch have no gradients.
    variable_list all(2);
    for (auto& grad : recording->backward(grads)) all.push_back(std::move(grad));
    return all;
  }
};

/** Separate tensors over the same memory: autograd may keep and modify those. */
variable_list detached(const std::vector<torch::Tensor>& tensors) {
  variable_list all;
  all.reserve(tensors.size());
  for (const auto& tensor : tensors) {
    all.push_back(tensor.defined() ? tensor.detach() : torch::Tensor());
  }
  return all;
}

/** In the parameter's memory layout: autograd would otherwise copy each gradient into it. */
torch::Tensor in_layout_of(const torch::Tensor& parameter, const torch::Tensor& grad) {
  if (!grad.defined() || grad.strides() == parameter.strides()) return grad;
  return torch::empty_strided(parameter.sizes(), parameter.strides(), grad.options()).copy_(grad);
}

}  // namespace

TrunkRecording::TrunkRecording(model::MaskRcnn& network, const torch::Tensor& batch)
    : batch_(batch.clone()) {
  const auto add_parameters = [&](const torch::nn::Module& module) {
    for (const auto& parameter : module.parameters()) {
      if (parameter.requires_grad()) parameters_.push_back(parameter);
    }
  };
  add_parameters(*network->backbone());
  add_parameters(*network->rpn());
  forward_ = cuda::Graph::record([&] {
    const auto [levels, predictions] = run_trunk(network, batch_);
    levels_ = levels.size();
    for (const auto* some : {&levels, &predictions.objectness, &predictions.deltas}) {
      outputs_.insert(outputs_.end(), some->begin(), some->end());
    }
  });
  for (const auto& output : outputs_) output_grads_.push_back(torch::empty_like(output));
  backward_ = cuda::Graph::record([&] {
    parameter_grads_ =
        torch::autograd::grad(outputs_, parameters_, output_grads_, /*retain_graph=*/false,
                              /*create_graph=*/false, /*allow_unused=*/true);
    for (size_t i = 0; i < parameters_.size(); ++i) {
      parameter_grads_[i] = in_layout_of(parameters_[i], parameter_grads_[i]);
    }
  });
  outputs_ = detached(outputs_);
}

variable_list TrunkRecording::forward(const torch::Tensor& batch) {
  batch_.copy_(batch);
  forward_->replay();
  return detached(outputs_);
}

variable_list TrunkRecording::backward(const variable_list& grads) {
  for (size_t i = 0; i < grads.size(); ++i) {
    if (grads[i].defined()) {
      output_grads_[i].copy_(grads[i]);
    } else {
      output_grads_[i].zero_();
    }
  }
  backward_->replay();
  return detached(parameter_grads_);
}

TrunkOutputs TrunkRecording::run(const torch::Tensor& batch) {
  const auto outputs = Replay::apply(c10::intrusive_ptr<TrunkRecording>::reclaim_copy(this), batch,
                                     at::TensorList(parameters_));
  const auto part = [&](size_t index) {
    const auto first = outputs.begin() + static_cast<std::ptrdiff_t>(index * levels_);
    return std::vector<torch::Tensor>(first, first + static_cast<std::ptrdiff_t>(levels_));
  };
  return {part(0), {part(1), part(2)}};
}

}  // namespace cellroute::train
