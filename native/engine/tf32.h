#pragma once

namespace cellroute {

/** While it lives, products of float32 on GPUs are taken in TF32 (three digits), or not. LibTorch
 *  has one switch a process: jobs that want the same run beside each other, others wait. */
class Tf32 {
 public:
  explicit Tf32(bool on);
  ~Tf32();
  Tf32(const Tf32&) = delete;
  Tf32& operator=(const Tf32&) = delete;
};

}  // namespace cellroute
