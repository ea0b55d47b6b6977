#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/cancel.h"
#include "error.h"
#include "train/deterministic.h"
#include "train/gradients.h"
#include "train/seed.h"

namespace cellroute::train {
namespace {

// Where each stage of a step starts, approximately its share of the time.
constexpr double kUpdateBegins = 0.95;

bool has_moving_statistics(const torch::nn::Module& module) {
  return module.is_training() && (module.as<torch::nn::BatchNorm2d>() != nullptr ||
                                  module.as<torch::nn::BatchNorm1d>() != nullptr);
}

/** Restores a network's buffers and clears its gradients if a step does not complete: a batch
 *  norm in training has changed its statistics by then. */
class RollbackGuard {
 public:
  RollbackGuard(const torch::nn::Module& network, const std::vector<torch::Tensor>& parameters)
      : parameters_(parameters) {
    for (const auto& module : network.modules()) {
      if (!has_moving_statistics(*module)) continue;
      for (const auto& buffer : module->buffers(/*recurse=*/false)) {
        buffers_.push_back(buffer);
        before_.push_back(buffer.clone());
      }
    }
  }
  ~RollbackGuard() {
    const torch::NoGradGuard no_grad;
    if (!kept_) {
      for (size_t i = 0; i < buffers_.size(); ++i) buffers_[i].copy_(before_[i]);
    }
    for (const auto& parameter : parameters_) parameter.mutable_grad().reset();
  }
  RollbackGuard(const RollbackGuard&) = delete;
  RollbackGuard& operator=(const RollbackGuard&) = delete;

  void keep() { kept_ = true; }

 private:
  std::vector<torch::Tensor> buffers_, before_;
  const std::vector<torch::Tensor>& parameters_;
  bool kept_ = false;
};

/** Sets a function for the duration of a scope. */
class ScopedListener {
 public:
  ScopedListener(std::function<void()>& slot, std::function<void()> listener) : slot_(slot) {
    slot_ = std::move(listener);
  }
  ~ScopedListener() { slot_ = nullptr; }
  ScopedListener(const ScopedListener&) = delete;
  ScopedListener& operator=(const ScopedListener&) = delete;

 private:
  std::function<void()>& slot_;
};

/** Stores the losses in a result; returns false if one is not finite. */
bool read_losses(const std::vector<std::pair<std::string, torch::Tensor>>& losses,
                 StepResult& result) {
  std::vector<torch::Tensor> values;
  for (const auto& [name, loss] : losses) values.push_back(loss.detach());
  const auto read = torch::stack(values).to(torch::kCPU, torch::kFloat64);
  const auto* value = read.const_data_ptr<double>();
  for (const auto& [name, loss] : losses) result.losses.emplace_back(name, *value++);
  return read.isfinite().all().item<bool>();
}

torch::Tensor sum_of(const std::vector<std::pair<std::string, torch::Tensor>>& losses) {
  auto total = losses.front().second;
  for (size_t i = 1; i < losses.size(); ++i) total = total + losses[i].second;
  return total;
}

void add(io::NamedTensors& state, const std::string& prefix, const io::NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) state.emplace_back(prefix + name, tensor);
}

}  // namespace

Trainer::Trainer(std::shared_ptr<torch::nn::Module> network, const TrainerOptions& options)
    : network_(std::move(network)),
      precision_(options.precision),
      device_(options.device),
      deterministic_(options.deterministic) {
  io::NamedTensors trained;
  for (const auto& item : network_->named_parameters()) {
    if (!item.value().requires_grad()) continue;
    trained.emplace_back(item.key(), item.value());
    parameters_.push_back(item.value());
  }
  optimizer_ = std::make_unique<Optimizer>(options.optimizer, trained);
  add(state_, "model.", io::named_tensors(*network_));
  add(state_, "optimizer.", optimizer_->state());
  if (options.average_decay) {
    average_ = std::make_unique<WeightAverage>(*network_, *options.average_decay);
    add(state_, "average.", average_->tensors());
    state_.emplace_back("average.n_averaged", average_->updates());
  }
  watch_backward();
}

void Trainer::watch_backward() {
  // The backward pass has no stages: each finished gradient reports progress and is a
  // point at which a step can be cancelled.
  for (const auto& parameter : parameters_) {
    parameter.register_hook([this](const at::Tensor&) {
      if (on_gradient_) on_gradient_();
    });
  }
}

torch::Tensor Trainer::read(const std::string& name) const {
  for (const auto& [key, tensor] : state_) {
    if (key == name) return tensor.detach().cpu().clone(at::MemoryFormat::Contiguous);
  }
  throw Error("NATIVE_FAILURE", "This trainer has no tensor " + name);
}

int64_t Trainer::bytes() const {
  size_t bytes = 0;
  for (const auto& [name, tensor] : state_) bytes += tensor.nbytes();
  for (const auto& parameter : parameters_) bytes += parameter.nbytes();
  return static_cast<int64_t>(bytes);
}

io::LoadReport Trainer::start(const io::MappedFile& file,
                              const std::vector<io::TensorEntry>& entries, const JobContext& poll) {
  usable_ = false;
  auto report = io::load_state(*network_, file, entries, poll);
  if (average_) average_->start(*network_);
  usable_ = true;
  return report;
}

io::LoadReport Trainer::restore(const io::MappedFile& file,
                                const std::vector<io::TensorEntry>& entries,
                                const JobContext& poll) {
  usable_ = false;
  // A state that was rounded is not the same state.
  auto report = io::load_tensors(state_, file, entries, io::Cast::kRefused, poll);
  optimizer_->restored();
  usable_ = report.missing.empty() && report.unexpected.empty() && report.mismatched.empty();
  return report;
}

void Trainer::copy_weights(const torch::nn::Module& into, Weights which) const {
  if (which == Weights::kAverage && !average_) {
    throw Error("INVALID_ARGUMENT", "This trainer keeps no average of its weights");
  }
  const torch::NoGradGuard no_grad;
  const auto from = which == Weights::kAverage ? average_->tensors() : io::named_tensors(*network_);
  const auto to = io::named_tensors(into);
  for (size_t i = 0; i < to.size(); ++i) {
    TORCH_CHECK(to[i].first == from[i].first, "the networks differ at ", to[i].first);
    // Not const: the tensor is a handle.
    auto target = to[i].second;
    target.copy_(from[i].second);
  }
}

StepResult Trainer::take_step(const StepOptions& options, const std::function<Losses()>& forward,
                              const JobContext& poll) {
  if (!usable_) {
    throw Error("INVALID_ARGUMENT",
                "This trainer's state was not restored whole; restore it first");
  }
  seed_generators(options.seed, device_);
  const Deterministic deterministic(deterministic_ && device_.is_cuda());
  RollbackGuard untouched(*network_, parameters_);

  const auto losses = [&] {
    const Autocast autocast(precision_, device_.type());
    return forward();
  }();
  StepResult result;
  result.grad_norm = std::numeric_limits<double>::quiet_NaN();
  // Losses are read after the backward pass: otherwise a GPU would be idle between the two passes.
  const bool read_last = device_.is_cuda();
  if (!read_last && !read_losses(losses, result)) return result;

  poll("backward", kForwardEnds);
  {
    size_t ready = 0;
    const double share = (kUpdateBegins - kForwardEnds) / static_cast<double>(parameters_.size());
    const ScopedListener listening(on_gradient_, [&] {
      poll("backward",
           kForwardEnds + share * static_cast<double>(std::min(++ready, parameters_.size())));
    });
    sum_of(losses).backward();
  }
  if (read_last && !read_losses(losses, result)) return result;
  result.grad_norm = gradient_norm(parameters_);
  if (!std::isfinite(result.grad_norm)) return result;
  if (options.max_grad_norm) {
    clip_gradients(parameters_, result.grad_norm, *options.max_grad_norm);
  }
  poll("update", kUpdateBegins);
  untouched.keep();
  apply(options);
  result.applied = true;
  return result;
}

void Trainer::apply(const StepOptions& options) {
  // From here on the step cannot be undone, so it is not cancelled any more.
  const CancelScope uninterruptible(nullptr);
  usable_ = false;
  optimizer_->step(options.lr, options.momentum);
  if (average_) average_->update(*network_);
  usable_ = true;
}

}  // namespace cellroute::train
