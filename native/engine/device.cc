#include "engine/device.h"

#include <cstdint>

#include "engine/cuda/gpu.h"
#include "error.h"

namespace cellroute {
namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw Error("DEVICE_UNAVAILABLE", "The device '" + name + "' cannot be used: " + why + ".");
}

}  // namespace

c10::Device device_from_name(const std::string& name) {
  return c10::Device(name == "cuda" ? "cuda:0" : name);
}

c10::Device resolve_device(const std::string& name) {
  if (name == "cpu") return c10::kCPU;
  const auto gpus = cuda::find_gpus();
  if (name == "auto") {
    for (int i = 0; i < static_cast<int>(gpus.list.size()); ++i) {
      if (cuda::problem_of(i).empty()) return {c10::kCUDA, static_cast<c10::DeviceIndex>(i)};
    }
    return c10::kCPU;
  }
  if (gpus.list.empty()) refuse(name, gpus.problem);
  const auto device = device_from_name(name);
  const int index = static_cast<uint8_t>(device.index());
  const auto count = static_cast<int>(gpus.list.size());
  if (index >= count) {
    refuse(name, "there are " + std::to_string(count) +
                     " GPUs, cuda:0 to cuda:" + std::to_string(count - 1));
  }
  const auto problem = cuda::problem_of(index);
  if (!problem.empty()) {
    const auto& gpu = gpus.list[static_cast<size_t>(index)];
    refuse(name, gpu.name + " has compute capability " + std::to_string(gpu.major) + "." +
                     std::to_string(gpu.minor) + ", and " + problem);
  }
  return device;
}

}  // namespace cellroute
