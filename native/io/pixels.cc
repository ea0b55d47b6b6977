#include "io/pixels.h"

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>

#include "engine/parallel.h"

namespace cellroute::io {

namespace {

/** The raw values are copied to the GPU and looked up there: a quarter or half of the bytes, and
 *  no work for the host. */
at::Tensor look_up_on_gpu(const Image& image, const FloatImage& floats, at::Device device) {
  const auto type = image.type == Image::Type::kU8 ? at::kByte : at::kUInt16;
  const auto staged =
      at::empty({image.height, image.width, image.channels}, at::dtype(type).pinned_memory(true));
  std::memcpy(staged.mutable_data_ptr(), image.bytes.data(), image.bytes.size());
  const auto values = staged.to(device, /*non_blocking=*/true)
                          .narrow(2, 0, floats.channels())
                          .permute({2, 0, 1})
                          .to(at::kLong);
  const auto table = at::empty({static_cast<int64_t>(floats.table().size())},
                               at::dtype(at::kFloat).pinned_memory(true));
  std::ranges::copy(floats.table(), table.mutable_data_ptr<float>());
  return table.to(device, /*non_blocking=*/true)
      .index_select(0, values.flatten())
      .view(values.sizes());
}

}  // namespace

at::Tensor to_float(const Image& image, const Intensity& intensity, at::Device device) {
  const FloatImage floats(image, intensity);
  if (device.is_cuda() && !floats.table().empty()) {
    const auto channels = look_up_on_gpu(image, floats, device);
    return channels.expand({3, image.height, image.width}).contiguous();
  }
  auto result = at::empty({3, image.height, image.width},
                          at::dtype(at::kFloat).pinned_memory(device.is_cuda()));
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
