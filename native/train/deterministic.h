#pragma once

#include <ATen/Context.h>

namespace cellroute::train {

/** While it lives, operators on GPUs choose deterministic algorithms where they have one, ours
 *  included; one that has none warns. It is LibTorch's switch of the whole process. */
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
