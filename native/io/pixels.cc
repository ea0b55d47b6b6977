#include "io/pixels.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "engine/parallel.h"

namespace cellroute::io {

namespace {

/** The raw values are copied to the GPU and looked up there: a quarter or half of the bytes, and
 *  no work for the host. */
torch::Tensor looked_up(const Image& image, const FloatImage& floats, torch::Device device) {
  const auto type = image.type == Image::Type::kU8 ? torch::kUInt8 : torch::kUInt16;
  const auto staged = torch::empty({image.height, image.width, image.channels},
                                   torch::dtype(type).pinned_memory(true));
  std::memcpy(staged.mutable_data_ptr(), image.bytes.data(), image.bytes.size());
  const auto values = staged.to(device, /*non_blocking=*/true)
                          .narrow(2, 0, floats.channels())
                          .permute({2, 0, 1})
                          .to(torch::kInt64);
  const auto table = torch::empty({static_cast<int64_t>(floats.table().size())},
                                  torch::dtype(torch::kFloat32).pinned_memory(true));
  std::ranges::copy(floats.table(), table.mutable_data_ptr<float>());
  return table.to(device, /*non_blocking=*/true)
      .index_select(0, values.flatten())
      .view(values.sizes());
}

}  // namespace

torch::Tensor to_float(const Image& image, const Intensity& intensity, torch::Device device) {
  const FloatImage floats(image, intensity);
  if (device.is_cuda() && !floats.table().empty()) {
    const auto channels = looked_up(image, floats, device);
    return channels.expand({3, image.height, image.width}).contiguous();
  }
  auto result = torch::empty({3, image.height, image.width},
                             torch::dtype(torch::kFloat32).pinned_memory(device.is_cuda()));
  const int64_t plane = image.width * image.height;
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
