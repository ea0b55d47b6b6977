#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <mutex>

namespace cellroute::train {

/** Seeds the generators of a device and of the CPU. torch::manual_seed would initialise GPUs
 *  that are not used. */
inline void seed_generators(uint64_t seed, c10::Device device) {
  const auto seed_one = [seed](at::Generator generator) {
    const std::lock_guard lock(generator.mutex());
    generator.set_current_seed(seed);
  };
  seed_one(at::detail::getDefaultCPUGenerator());
  if (device.is_cuda()) seed_one(at::globalContext().defaultGenerator(device));
}

}  // namespace cellroute::train
