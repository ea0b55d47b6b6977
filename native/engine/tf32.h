#pragma once

namespace cellroute {

/** Sets for its lifetime whether float32 products on GPUs are computed in TF32 (three digits).
 *  LibTorch has one switch per process: jobs with the same setting run concurrently, others wait.
 */
class Tf32 {
 public:
  explicit Tf32(bool on);
  ~Tf32();
  Tf32(const Tf32&) = delete;
  Tf32& operator=(const Tf32&) = delete;
};

}  // namespace cellroute
