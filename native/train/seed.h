#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <mutex>

namespace cellroute::train {

/** Seeds what draws on a device, and the CPU's. torch::manual_seed would look for GPUs where nobody
 *  asked for one. */
inline void seed_generators(uint64_t seed, c10::Device device) {
  const auto seed_one = [seed](at::Generator generator) {
    const std::lock_guard lock(generator.mutex());
    generator.set_current_seed(seed);
  };
  seed_one(at::detail::getDefaultCPUGenerator());
  if (device.is_cuda()) seed_one(at::globalContext().defaultGenerator(device));
}

}  // namespace cellroute::train
