#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "measure/shape.h"
#include "round_up.h"
#include "thread_loop.h"

namespace cellroute::measure {

/** Calls fn(begin, end) for blocks of 0..count-1 on several threads and reports progress after each
 *  block. */
template <class F>
void for_each_block(size_t count, uint64_t threads, const Progress& progress, const F& fn) {
  constexpr size_t kBlock = 256;
  const size_t blocks = divide_up(count, kBlock);
  std::mutex mutex;
  size_t done = 0;
  for_each_parallel(blocks, threads, [&](size_t block) {
    const size_t begin = block * kBlock;
    fn(begin, std::min(begin + kBlock, count));
    const std::lock_guard lock(mutex);
    progress(static_cast<double>(++done) / static_cast<double>(blocks));
  });
}

}  // namespace cellroute::measure
