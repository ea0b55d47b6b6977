#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/job.h"
#include "io/weights.h"
#include "nn.h"
#include "train/autocast.h"
#include "train/average.h"
#include "train/optimizer.h"

namespace cellroute::train {

struct TrainerOptions {
  OptimizerConfig optimizer;
  /** Number of backbone stages that train, counted from the last: 0 to 5. */
  int64_t trainable_layers = 5;
  bool update_batch_statistics = false;
  std::optional<double> average_decay;
  Precision precision = Precision::kFloat32;
  /** Where the network trains; its fresh weights are drawn on the CPU, the same for every device.
   */
  torch::Device device = torch::kCPU;
  /** On a GPU: sums in a fixed order, which is slower. On the CPU the order is always fixed. */
  bool deterministic = false;
  /** Seed of the new weights. */
  uint64_t seed = 0;
};

/** Options that change from step to step. */
struct StepOptions {
  double lr = 0;
  double momentum = 0;  // SGD's momentum, AdamW's beta1
  std::optional<double> max_grad_norm;
  /** Seed of all random numbers in the step. */
  uint64_t seed = 0;
};

struct StepResult {
  std::vector<std::pair<std::string, double>> losses;
  /** Norm of the gradients before clipping; NaN if a loss was not finite. */
  double grad_norm = 0;
  bool applied = false;
};

enum class Weights : uint8_t { kCurrent, kAverage };

/** A network in training with its optimizer and, if requested, its moving average. The result of
 *  a step depends only on its state, the samples and the step's options. */
class Trainer {
 public:
  virtual ~Trainer() = default;
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /** The whole state: `model.<key>`, `optimizer.<key>.<name>`, `average.<key>` and
   *  `average.n_averaged`. Names, types and shapes never change, so any thread may read them. */
  const io::NamedTensors& state() const { return state_; }
  /** A contiguous copy of one tensor of the state. */
  torch::Tensor read(const std::string& name) const;
  torch::Device device() const { return device_; }
  /** Bytes of the state and of the gradients. */
  int64_t bytes() const;

  /** Loads the tensors that fit a new network by name and shape; the average is reset to them. */
  io::LoadReport start(const io::MappedFile& file, const std::vector<io::TensorEntry>& entries,
                       const JobContext& poll);
  /** Restores a whole state. If a tensor is missing, unexpected or different, or if this throws,
   *  no further step is possible until a restore succeeds. */
  io::LoadReport restore(const io::MappedFile& file, const std::vector<io::TensorEntry>& entries,
                         const JobContext& poll);

  /** Writes the weights into a network of the same kind. Throws INVALID_ARGUMENT if an average
   *  is requested but not kept. */
  void copy_weights(const torch::nn::Module& into, Weights which) const;

 protected:
  using Losses = std::vector<std::pair<std::string, torch::Tensor>>;

  /** `network` is prepared: frozen parameters need no gradient, and norms are in their modes. */
  Trainer(std::shared_ptr<torch::nn::Module> network, const TrainerOptions& options);

  /** One step over the sum of the losses that `forward` returns; `forward` polls from 0 to
   *  kForwardEnds. If a loss or a gradient is not finite, or if anything (including Cancelled)
   *  is thrown before the optimizer runs, everything keeps its value, including the statistics
   *  of norms. */
  StepResult take_step(const StepOptions& options, const std::function<Losses()>& forward,
                       const JobContext& poll);

  /** Whether the state is consistent: that of the last step or the next, never a mixture. */
  bool is_whole() const { return usable_; }

  static constexpr double kForwardEnds = 0.5;

 private:
  void apply(const StepOptions& options);
  void watch_backward();

  std::shared_ptr<torch::nn::Module> network_;
  Precision precision_;
  torch::Device device_;
  bool deterministic_;
  std::vector<torch::Tensor> parameters_;  // the parameters that train
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<WeightAverage> average_;
  io::NamedTensors state_;
  /** False while the state is being replaced, and after a failed replacement. */
  bool usable_ = true;

  /** Called for every gradient during the backward pass; set while a step runs. */
  std::function<void()> on_gradient_;
};

}  // namespace cellroute::train
