#pragma once

#include <ATen/autocast_mode.h>

namespace cellroute::train {

enum class Precision : bool { kFloat32, kBfloat16 };

/** torch.autocast(device, torch.bfloat16) while it exists: convolutions and matrix products use
 *  bfloat16; losses and operations that need the range stay in float32. Does nothing for
 *  kFloat32. */
class Autocast {
 public:
  Autocast(Precision precision, at::DeviceType device)
      : on_(precision == Precision::kBfloat16), device_(device) {
    if (!on_) return;
    at::autocast::set_autocast_dtype(device_, at::kBFloat16);
    at::autocast::set_autocast_enabled(device_, true);
    at::autocast::increment_nesting();
  }
  ~Autocast() {
    if (!on_) return;
    // Casts of weights are cached for one forward pass only: the next one has other weights.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, false);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool on_;
  at::DeviceType device_;
};

}  // namespace cellroute::train
