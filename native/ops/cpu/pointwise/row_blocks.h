#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/parallel.h"
#include "ops/cpu/block_queue.h"
#include "ops/cpu/pointwise/row_products.h"
#include "ops/cpu/work_blocks.h"

namespace cellroute::ops::cpu {

/** Calls fn(begin, end, scratch) for blocks of `count` rows on all threads. A block's rows, of
 *  `row_bytes` each, stay in the L2 cache while each panel of weights is applied to them. Each
 *  thread has one scratch object, which make_scratch(rows) creates for the largest block. */
template <typename M, typename F>
void for_each_row_block(int64_t count, int64_t row_bytes, M&& make_scratch, F&& fn) {
  constexpr int64_t kBlockBytes = int64_t{192} << 10;
  constexpr int64_t kMinRows = 48;
  constexpr int64_t kMaxRows = 192;
  const int64_t threads = loop_threads();
  const int64_t max_rows = std::clamp(kBlockBytes / row_bytes, kMinRows, kMaxRows);
  const auto blocks = WorkBlocks::shrinking(count, max_rows, kRowsPerStep, threads);
  BlockQueue queue(blocks.blocks());
  parallel_for(0, std::min(threads, blocks.blocks()), 1, [&](int64_t, int64_t) {
    auto scratch = make_scratch(blocks.largest());
    queue.for_each([&](int64_t b) { fn(blocks.begin(b), blocks.end(b), scratch); });
  });
}

}  // namespace cellroute::ops::cpu
