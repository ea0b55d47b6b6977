#include "mask/iou.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>

#include "error.h"
#include "mask/columns.h"
#include "mask/shapes.h"
#include "round_up.h"
#include "thread_loop.h"

namespace cellroute::mask {
namespace {

/** The number of threads that pays off for this work, measured in counts. */
uint64_t threads_for(uint64_t work) {
  constexpr uint64_t work_per_thread = 1 << 22;
  return std::min<uint64_t>(work / work_per_thread, std::thread::hardware_concurrency());
}

/** Each new page costs a page fault, which takes longer than the comparison itself, so large
 *  pages are requested. Used only where rows are so short that almost every page is written. */
void expect_dense([[maybe_unused]] std::span<double> matrix, [[maybe_unused]] size_t row) {
#ifdef __linux__
  constexpr uintptr_t large_page = 2 << 20;
  constexpr size_t longest_row = 2048;
  const auto begin = reinterpret_cast<uintptr_t>(matrix.data());
  const auto first = round_up(begin, large_page);
  const auto last = (begin + matrix.size_bytes()) / large_page * large_page;
  if (row > longest_row || first >= last) return;
  // A kernel without large pages refuses the request; nothing else changes.
  madvise(matrix.data() + (first - begin) / sizeof(double), last - first, MADV_HUGEPAGE);
#endif
}

}  // namespace

void iou(std::span<const RleView> a, std::span<const RleView> b, std::span<const uint8_t> crowd,
         std::span<double> zeroed) {
  const Shapes left(a), right(b);
  if (!a.empty() && !b.empty() &&
      (left.height() != right.height() || left.width() != right.width())) {
    throw Error("INVALID_ARGUMENT", "Masks of different image sizes cannot be compared");
  }
  if (!crowd.empty() && crowd.size() != b.size()) {
    throw Error("INVALID_ARGUMENT", "Expected one crowd flag for each of " +
                                        std::to_string(b.size()) + " masks but received " +
                                        std::to_string(crowd.size()));
  }
  if (zeroed.size() != a.size() * b.size()) {
    throw Error("INVALID_ARGUMENT", "The matrix of results has the wrong size");
  }
  if (zeroed.empty()) return;

  expect_dense(zeroed, b.size());
  const Columns columns(right);
  const auto compare_row = [&](size_t i) {
    double* row = &zeroed[i * b.size()];
    Comparison own(left, i);
    columns.for_each_near(left.box(i), [&](size_t j) {
      const uint32_t common = own.common_pixels(right, j);
      if (common == 0) return;
      const bool is_crowd = !crowd.empty() && crowd[j] != 0;
      const uint32_t over = is_crowd ? left.area(i) : left.area(i) + (right.area(j) - common);
      row[j] = static_cast<double>(common) / over;
    });
  };
  // Samples some rows: checking every row would take longer than some comparisons.
  constexpr size_t step = 8;
  uint64_t work = 0;
  for (size_t i = 0; i < left.size(); i += step) work += step * columns.count_near(left.box(i));
  // About a tenth of the masks that overlap in columns also overlap in rows.
  work *= (left.counts() / a.size() + right.counts() / b.size()) / 10 + 1;
  for_each_parallel(a.size(), threads_for(work), compare_row);
}

}  // namespace cellroute::mask
