#pragma once

#include <ATen/Context.h>

namespace cellroute::train {

/** While it exists, GPU operators (ours included) use deterministic algorithms where they have
 *  one; an operator without one warns. This is LibTorch's process-wide setting. */
class Deterministic {
 public:
  explicit Deterministic(bool on) : on_(on) {
    if (on_) set(true);
  }
  ~Deterministic() {
    if (on_) set(false);
  }
  Deterministic(const Deterministic&) = delete;
  Deterministic& operator=(const Deterministic&) = delete;

 private:
  static void set(bool on) {
    at::globalContext().setDeterministicAlgorithms(on, /*warn_only=*/true);
    at::globalContext().setDeterministicCuDNN(on);
  }

  bool on_;
};

}  // namespace cellroute::train
