#include "mask/iou.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "error.h"

namespace cellroute::mask {
namespace {

using Runs = std::span<const uint32_t>;

/** What the comparison asks of a set of masks, side by side in memory. */
struct Shapes {
  Bounds bounds;
  std::vector<size_t> offsets{0};
  std::vector<Box> boxes;
  std::vector<uint32_t> areas;

  explicit Shapes(std::span<const RleView> masks) {
    size_t counts = 0;
    for (const auto& mask : masks) counts += mask.counts.size();
    bounds.reserve(counts);
    for (const auto& mask : masks) {
      for_each_run(mask, [&](uint32_t begin, uint32_t end) {
        bounds.push_back(begin);
        bounds.push_back(end);
      });
      offsets.push_back(bounds.size());
      boxes.push_back(bounding_box(mask));
      areas.push_back(area(mask));
    }
  }

  size_t size() const { return boxes.size(); }
  Runs runs(size_t i) const {
    return Runs(bounds).subspan(offsets[i], offsets[i + 1] - offsets[i]);
  }
};

/** Index of the first run that ends after the position. */
size_t first_after(Runs runs, uint32_t position) {
  // An upper bound over begins and ends alike: an even index is a begin, an odd one the run's end.
  const auto bound = std::upper_bound(runs.begin(), runs.end(), position) - runs.begin();
  return static_cast<size_t>(bound) & ~size_t{1};
}

/** Common pixels of two masks from the position on. */
uint32_t intersection(Runs a, Runs b, uint32_t from) {
  size_t i = first_after(a, from), j = first_after(b, from);
  uint32_t sum = 0;
  while (i < a.size() && j < b.size()) {
    const uint32_t begin = std::max(a[i], b[j]);
    const uint32_t end = std::min(a[i + 1], b[j + 1]);
    sum += end > begin ? end - begin : 0;
    const bool a_ends_first = a[i + 1] < b[j + 1];
    i += a_ends_first ? 2 : 0;
    j += a_ends_first ? 0 : 2;
  }
  return sum;
}

/** The masks of `b` from left to right, so that those beside a box need not be looked at. */
class Columns {
 public:
  explicit Columns(const Shapes& shapes) : shapes_(shapes), order_(shapes.size()) {
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::erase_if(order_, [&](size_t i) { return shapes.areas[i] == 0; });
    std::sort(order_.begin(), order_.end(),
              [&](size_t i, size_t j) { return shapes.boxes[i].x < shapes.boxes[j].x; });
    for (const size_t i : order_) {
      const auto& box = shapes.boxes[i];
      lefts_.push_back(box.x);
      reach_.push_back(std::max(reach_.empty() ? 0 : reach_.back(), box.x + box.width));
    }
  }

  /** Calls fn(index) for each mask whose box shares a pixel with this one. */
  template <class F>
  void for_each_near(const Box& box, F&& fn) const {
    const auto [begin, end] = beside(box);
    for (size_t k = begin; k < end; ++k) {
      const auto& other = shapes_.boxes[order_[k]];
      if (other.x + other.width > box.x && other.y < box.y + box.height &&
          box.y < other.y + other.height) {
        fn(order_[k]);
      }
    }
  }

  /** How many masks for_each_near() has to look at. */
  size_t count_beside(const Box& box) const {
    const auto [begin, end] = beside(box);
    return end > begin ? end - begin : 0;
  }

 private:
  /** Those whose columns may meet the box's, by place in the order. */
  std::pair<size_t, size_t> beside(const Box& box) const {
    const auto begin = std::upper_bound(reach_.begin(), reach_.end(), box.x);
    const auto end = std::lower_bound(lefts_.begin(), lefts_.end(), box.x + box.width);
    return {begin - reach_.begin(), end - lefts_.begin()};
  }

  const Shapes& shapes_;
  std::vector<size_t> order_;
  std::vector<uint32_t> lefts_;
  std::vector<uint32_t> reach_;  // right end of the widest mask so far
};

/** Runs fn(i) for every i below n, on as many threads as the work (in bounds looked at) deserves.
 */
template <class F>
void for_each_parallel(size_t n, uint64_t work, const F& fn) {
  constexpr uint64_t work_a_thread = 1 << 21;
  const uint64_t wanted = std::min<uint64_t>(work / work_a_thread, n);
  const uint64_t threads = std::min<uint64_t>(wanted, std::thread::hardware_concurrency());
  std::atomic<size_t> next{0};
  const auto run = [&]() noexcept {
    for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n;) fn(i);
  };
  std::vector<std::thread> helpers;
  helpers.reserve(threads);
  try {
    for (uint64_t i = 1; i < threads; ++i) helpers.emplace_back(run);
  } catch (const std::system_error&) {
    // No more threads to be had: those that started do the work.
  }
  run();
  for (auto& helper : helpers) helper.join();
}

void check_sizes(std::span<const RleView> a, std::span<const RleView> b) {
  const auto& first = a.empty() ? b : a;
  for (const auto& masks : {a, b}) {
    for (const auto& mask : masks) {
      if (mask.height != first[0].height || mask.width != first[0].width) {
        throw Error("INVALID_ARGUMENT", "Masks of different picture sizes cannot be compared");
      }
    }
  }
}

}  // namespace

void iou(std::span<const RleView> a, std::span<const RleView> b, std::span<const uint8_t> crowd,
         std::span<double> zeroed) {
  check_sizes(a, b);
  if (!crowd.empty() && crowd.size() != b.size()) {
    throw Error("INVALID_ARGUMENT", "Expected one crowd flag for each of " +
                                        std::to_string(b.size()) + " masks but received " +
                                        std::to_string(crowd.size()));
  }
  if (zeroed.size() != a.size() * b.size()) {
    throw Error("INVALID_ARGUMENT", "The matrix of results has the wrong size");
  }
  if (zeroed.empty()) return;

  const Shapes left(a), right(b);
  const Columns columns(right);
  const uint32_t height = a[0].height;
  const auto compare_row = [&](size_t i) {
    const auto& box = left.boxes[i];
    double* row = &zeroed[i * b.size()];
    columns.for_each_near(box, [&](size_t j) {
      const uint32_t from = std::max(box.x, right.boxes[j].x) * height;
      const uint32_t common = intersection(left.runs(i), right.runs(j), from);
      if (common == 0) return;
      const bool is_crowd = !crowd.empty() && crowd[j] != 0;
      const uint32_t over = is_crowd ? left.areas[i] : left.areas[i] + (right.areas[j] - common);
      row[j] = static_cast<double>(common) / over;
    });
  };
  // Of the masks beside each other in columns, a tenth or so is near in rows too.
  uint64_t work = 0;
  for (const auto& box : left.boxes) work += columns.count_beside(box);
  work *= (left.bounds.size() / a.size() + right.bounds.size() / b.size()) / 10 + 1;
  for_each_parallel(a.size(), work, compare_row);
}

}  // namespace cellroute::mask
