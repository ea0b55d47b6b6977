#include "mask/row_runs.h"

#include <algorithm>
#include <string>

#include "error.h"
#include "mask/transpose.h"

namespace cellroute::mask {

std::vector<RowRun> row_runs(const RleView& mask) {
  const auto bounds = transpose(run_bounds(mask), mask.height, mask.width);
  const uint32_t width = mask.width;
  uint64_t total = 0;
  for (size_t i = 0; i < bounds.size(); i += 2) {
    total += (bounds[i + 1] - 1) / width - bounds[i] / width + 1;
  }
  if (total > kMaxRuns) {
    throw Error("RLE_MALFORMED", "The mask has more than " + std::to_string(kMaxRuns) + " runs", 0);
  }
  std::vector<RowRun> runs;
  runs.reserve(total);
  for (size_t i = 0; i < bounds.size(); i += 2) {
    for (uint32_t begin = bounds[i]; begin < bounds[i + 1];) {
      const uint32_t y = begin / width;
      const uint32_t x = begin - y * width;
      const uint32_t length = std::min(width - x, bounds[i + 1] - begin);
      runs.push_back({x, y, length});
      begin += length;
    }
  }
  return runs;
}

}  // namespace cellroute::mask
