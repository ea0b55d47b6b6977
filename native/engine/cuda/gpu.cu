#include "engine/cuda/gpu.h"

#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime.h>

#include <cstdlib>
#include <exception>

namespace cellroute::cuda {
namespace {

/** Only used to check whether this addon has code for a GPU. */
__global__ void probe_kernel() {}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string driver_problem(cudaError_t error) {
  if (error == cudaErrorInsufficientDriver) {
    int driver = 0;
    // Without a driver the call fails, and the version stays 0.
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
      return "no NVIDIA driver was found (libcuda.so.1). Install one; a container must be started "
             "with the GPU (docker run --gpus all)";
    }
    return "the NVIDIA driver supports CUDA " + version_text(driver) + ", this addon needs " +
           version_text(CUDART_VERSION) + ". Update the driver";
  }
  if (error == cudaErrorNoDevice || error == cudaSuccess) {
    const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
    return visible == nullptr
               ? std::string("the NVIDIA driver sees no GPU: `nvidia-smi` should list one")
               : "the NVIDIA driver shows no GPU to this process, for which CUDA_VISIBLE_DEVICES "
                 "is '" +
                     std::string(visible) + "'";
  }
  return std::string("CUDA could not be started: ") + cudaGetErrorString(error);
}

}  // namespace

bool is_built_in() { return true; }

Gpus find_gpus() {
  int count = 0;
  const auto error = cudaGetDeviceCount(&count);
  // Otherwise the next launch check would report it.
  (void)cudaGetLastError();
  Gpus gpus;
  if (error != cudaSuccess || count == 0) {
    gpus.problem = driver_problem(error);
    return gpus;
  }
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties{};
    C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, i));
    gpus.list.push_back({.name = properties.name,
                         .major = properties.major,
                         .minor = properties.minor,
                         .bytes = properties.totalGlobalMem});
  }
  return gpus;
}

std::string problem_of(int index) {
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(index));
  cudaFuncAttributes attributes{};
  const auto error = cudaFuncGetAttributes(&attributes, probe_kernel);
  if (error == cudaSuccess) return {};
  (void)cudaGetLastError();
  if (error == cudaErrorNoKernelImageForDevice || error == cudaErrorInvalidDeviceFunction) {
    return "this addon has no code for it. Build the addon for it (CELLROUTE_CUDA_ARCHITECTURES)";
  }
  return cudaGetErrorString(error);
}

void enter(int index) {
  const auto device = static_cast<c10::DeviceIndex>(index);
  c10::cuda::set_device(device);
  c10::cuda::setCurrentCUDAStream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device));
}

void release_memory(int index) noexcept {
  try {
    const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(index));
    c10::cuda::device_synchronize();
    c10::cuda::CUDACachingAllocator::emptyCache();
  } catch (const std::exception&) {
    // The next job reports the failure of the GPU.
  }
}

}  // namespace cellroute::cuda
