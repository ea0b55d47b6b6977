#include "io/pixels.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "engine/parallel.h"

namespace cellroute::io {

torch::Tensor to_float(const Picture& picture, const Intensity& intensity, torch::Device device) {
  const FloatPicture floats(picture, intensity);
  auto result = torch::empty({3, picture.height, picture.width},
                             torch::dtype(torch::kFloat32).pinned_memory(device.is_cuda()));
  const int64_t plane = picture.width * picture.height;
  auto* out = result.mutable_data_ptr<float>();
  parallel_for(0, plane, at::internal::GRAIN_SIZE, [&](int64_t begin, int64_t end) {
    for (int64_t c = 0; c < 3; ++c) {
      const int64_t channel = std::min(c, floats.channels() - 1);
      floats.read(channel, begin, end, out + c * plane + begin);
    }
  });
  return result.to(device, /*non_blocking=*/true);
}

}  // namespace cellroute::io
