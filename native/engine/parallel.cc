#include "engine/parallel.h"

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "engine/cancel.h"
#include "round_up.h"

#ifdef CELLROUTE_THREAD_SANITIZER
#include <exception>
#include <thread>
#include <vector>
#endif

namespace cellroute {

namespace {

// Slices of a thread's part between which it checks for cancellation.
constexpr int64_t kSlices = 16;

/** Calls `work` for [begin, end), in slices of at least `grain` if the work can be cancelled. */
void run_part(int64_t begin, int64_t end, int64_t grain, const Cancellation* cancellation,
              c10::function_ref<void(int64_t, int64_t)> work) {
  if (cancellation == nullptr) {
    work(begin, end);
    return;
  }
  const int64_t slice = std::max(grain, divide_up(end - begin, kSlices));
  for (int64_t from = begin; from < end && !cancellation->requested(); from += slice) {
    work(from, std::min(from + slice, end));
  }
}

#ifdef CELLROUTE_THREAD_SANITIZER

thread_local bool in_loop = false;

bool in_parallel_region() { return in_loop; }

/** Calls run(part, 1) for each part. ThreadSanitizer does not see what LibTorch's OpenMP orders, so
 *  its build has separate threads. */
void spread(int64_t parts, c10::function_ref<void(int64_t, int64_t)> run) {
  std::vector<std::exception_ptr> failures(parts);
  std::vector<std::thread> threads;
  for (int64_t part = 0; part < parts; ++part) {
    threads.emplace_back([run, part, &failures] {
      in_loop = true;
      try {
        run(part, 1);
      } catch (...) {
        failures[part] = std::current_exception();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

#else

bool in_parallel_region() { return at::in_parallel_region(); }

/** Calls run(part, count) for ranges of parts, on LibTorch's threads: one element per part, which
 *  its own loop, compiled with its OpenMP, spreads over them. */
void spread(int64_t parts, c10::function_ref<void(int64_t, int64_t)> run) {
  auto places = at::empty({parts}, at::kByte);
  const auto* first = static_cast<const char*>(places.const_data_ptr());
  const auto visit = [&](char** data, const int64_t* /*strides*/, int64_t count) {
    run(data[0] - first, count);
  };
  at::TensorIterator::nullary_op(places).for_each(visit, /*grain_size=*/1);
}

#endif

}  // namespace

int64_t loop_threads() { return in_parallel_region() ? 1 : at::get_num_threads(); }

void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  c10::function_ref<void(int64_t, int64_t)> work) {
  const int64_t length = end - begin;
  if (length <= 0) return;
  throw_if_cancelled();
  grain = std::max<int64_t>(grain, 1);
  // The threads of the loop do not inherit it.
  const auto* cancellation = Cancellation::current();
  const int64_t parts = std::min(loop_threads(), divide_up(length, grain));
  if (parts <= 1) {
    run_part(begin, end, grain, cancellation, work);
    throw_if_cancelled();
    return;
  }
  const int64_t size = divide_up(length, parts);
  spread(parts, [&](int64_t part, int64_t count) {
    const int64_t from = begin + part * size;
    const int64_t to = std::min(end, from + count * size);
    if (from < to) run_part(from, to, grain, cancellation, work);
  });
  throw_if_cancelled();
}

}  // namespace cellroute
