#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/job.h"
#include "io/weights.h"
#include "train/autocast.h"
#include "train/average.h"
#include "train/optimizer.h"

namespace cellroute::train {

struct TrainerOptions {
  OptimizerConfig optimizer;
  /** Stages of the backbone that train, from the last: 0 to 5. */
  int64_t trainable_layers = 5;
  bool update_batch_statistics = false;
  std::optional<double> average_decay;
  Precision precision = Precision::kFloat32;
  /** Where the network trains; its fresh weights are drawn on the CPU, the same for every device.
   */
  torch::Device device = torch::kCPU;
  /** On a GPU: sums in an order that never changes, which costs time. The CPU's never change. */
  bool deterministic = false;
  /** Of the fresh weights. */
  uint64_t seed = 0;
};

/** What changes from step to step. */
struct StepOptions {
  double lr = 0;
  double momentum = 0;  // SGD's, AdamW's beta1
  std::optional<double> max_grad_norm;
  /** Of everything random in the step. */
  uint64_t seed = 0;
};

struct StepResult {
  std::vector<std::pair<std::string, double>> losses;
  /** Before clipping; NaN where a loss was not finite. */
  double grad_norm = 0;
  bool applied = false;
};

enum class Weights : uint8_t { kCurrent, kAverage };

/** A network in training with its optimiser and, where asked for, its average. What a step does
 *  depends on its state, the samples and the step's options alone. */
class Trainer {
 public:
  virtual ~Trainer() = default;
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /** The whole state: `model.<key>`, `optimizer.<key>.<name>`, `average.<key>` and
   *  `average.n_averaged`. Names, types and shapes never change, so any thread may read these. */
  const io::NamedTensors& state() const { return state_; }
  /** A copy of one tensor of the state, its elements one after the other. */
  torch::Tensor read(const std::string& name) const;
  torch::Device device() const { return device_; }
  /** Bytes of the state and of the gradients beside it. */
  int64_t bytes() const;

  /** Takes what fits a fresh network by name and shape; the average starts there. */
  io::LoadReport start(const io::MappedFile& file, const std::vector<io::TensorEntry>& entries,
                       const JobContext& poll);
  /** Puts a whole state back. Where anything is missing, too many or different, and where this
   *  throws, no step is taken any more until a restore succeeds. */
  io::LoadReport restore(const io::MappedFile& file, const std::vector<io::TensorEntry>& entries,
                         const JobContext& poll);

  /** Writes the weights into a network of the same kind. Throws INVALID_ARGUMENT for an average
   *  where none is kept. */
  void copy_weights(const torch::nn::Module& into, Weights which) const;

 protected:
  using Losses = std::vector<std::pair<std::string, torch::Tensor>>;

  /** `network` is set up: what does not train needs no gradient, and norms are in their modes. */
  Trainer(std::shared_ptr<torch::nn::Module> network, const TrainerOptions& options);

  /** One step over the sum of the losses that `forward` gives; it polls from 0 to kForwardEnds.
   *  Where a loss or a gradient is not finite, and where anything throws (Cancelled too) before the
   *  optimiser runs, everything is as before, statistics of norms included. */
  StepResult take_step(const StepOptions& options, const std::function<Losses()>& forward,
                       const JobContext& poll);

  /** Whether the state is that of the last step or the next: nothing of it is half replaced. */
  bool is_whole() const { return usable_; }

  static constexpr double kForwardEnds = 0.5;

 private:
  void apply(const StepOptions& options);
  void watch_backward();

  std::shared_ptr<torch::nn::Module> network_;
  Precision precision_;
  torch::Device device_;
  bool deterministic_;
  std::vector<torch::Tensor> parameters_;  // that train
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<WeightAverage> average_;
  io::NamedTensors state_;
  /** False while the state is being replaced, and after that failed. */
  bool usable_ = true;

  /** Told of every gradient on the way back; set while a step runs. */
  std::function<void()> on_gradient_;
};

}  // namespace cellroute::train
