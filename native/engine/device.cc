#include "engine/device.h"

#include "engine/cuda/gpu.h"
#include "error.h"

namespace cellroute {
namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw Error("DEVICE_UNAVAILABLE", "The device '" + name + "' cannot be used: " + why + ".");
}

}  // namespace

c10::Device device_named(const std::string& name) {
  return c10::Device(name == "cuda" ? "cuda:0" : name);
}

c10::Device resolve_device(const std::string& name) {
  if (name == "cpu") return c10::kCPU;
  const auto gpus = cuda::find_gpus();
  if (name == "auto") {
    for (size_t i = 0; i < gpus.list.size(); ++i) {
      if (gpus.list[i].problem.empty()) {
        return {c10::kCUDA, static_cast<c10::DeviceIndex>(i)};
      }
    }
    return c10::kCPU;
  }
  if (gpus.list.empty()) refuse(name, gpus.problem);
  const auto device = device_named(name);
  const auto index = static_cast<size_t>(device.index());
  if (index >= gpus.list.size()) {
    refuse(name, "there are " + std::to_string(gpus.list.size()) +
                     " GPUs, cuda:0 to cuda:" + std::to_string(gpus.list.size() - 1));
  }
  const auto& gpu = gpus.list[index];
  if (!gpu.problem.empty()) {
    refuse(name, gpu.name + " has compute capability " + std::to_string(gpu.major) + "." +
                     std::to_string(gpu.minor) + ", and " + gpu.problem);
  }
  return device;
}

}  // namespace cellroute
