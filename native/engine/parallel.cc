#include "engine/parallel.h"

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>

namespace cellroute {

int64_t loop_threads() { return at::in_parallel_region() ? 1 : at::get_num_threads(); }

void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  c10::function_ref<void(int64_t, int64_t)> work) {
  const int64_t length = end - begin;
  if (length <= 0) return;
  const int64_t most = (length + std::max<int64_t>(grain, 1) - 1) / std::max<int64_t>(grain, 1);
  const int64_t parts = std::min(loop_threads(), most);
  if (parts <= 1) {
    work(begin, end);
    return;
  }
  // An element a part: LibTorch's own loop over them, compiled with its OpenMP, spreads the parts.
  auto places = at::empty({parts}, at::kByte);
  const auto* first = static_cast<const char*>(places.const_data_ptr());
  const int64_t size = (length + parts - 1) / parts;
  const auto run = [&](char** data, const int64_t* /*strides*/, int64_t count) {
    const int64_t part = data[0] - first;
    const int64_t from = begin + part * size;
    const int64_t to = std::min(end, from + count * size);
    if (from < to) work(from, to);
  };
  at::TensorIterator::nullary_op(places).for_each(run, /*grain_size=*/1);
}

}  // namespace cellroute
