#include "data/axis.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "error.h"

namespace cellroute::data {
namespace {

/** Chains of scales and crops accumulate rounding errors: a border this close to a pixel's edge
 *  is treated as lying on it. */
constexpr double kEdge = 1e-6;

void check(const Side& side, int64_t length) {
  constexpr int64_t kLongest = 65'536;
  constexpr double kMaxPosition = 1e12;
  const double last = side.origin + static_cast<double>(side.size) * side.step;
  const bool valid = side.size >= 1 && side.size <= kLongest && side.step != 0 &&
                     std::abs(side.origin) < kMaxPosition && std::abs(last) < kMaxPosition &&
                     side.first >= -kEdge && side.end <= static_cast<double>(length) + kEdge &&
                     side.first <= side.end;
  if (valid) return;
  throw Error("INVALID_ARGUMENT", "A sample's side of " + std::to_string(side.size) +
                                      " pixels from " + std::to_string(side.origin) +
                                      " on in steps of " + std::to_string(side.step) + ", seeing " +
                                      std::to_string(side.first) + " to " +
                                      std::to_string(side.end) + " of " + std::to_string(length));
}

}  // namespace

Axis::Axis(const Side& side, int64_t length) : side_(side), length_(length) {
  check(side, length);
  const double far = side.origin + static_cast<double>(side.size) * side.step;
  const double from = std::max(side.first, std::min(side.origin, far));
  const double to = std::min(side.end, std::max(side.origin, far));
  source_ = {.begin = static_cast<int64_t>(std::ceil(from - 0.5)),
             .end = static_cast<int64_t>(std::ceil(to - 0.5))};

  before_.assign(static_cast<size_t>(length) + 1, 0);
  const auto is_inside = [&](int64_t i) { return centre(i) >= side.first && centre(i) < side.end; };
  while (inside_.begin < side.size && !is_inside(inside_.begin)) ++inside_.begin;
  inside_.end = inside_.begin;
  for (; inside_.end < side.size && is_inside(inside_.end); ++inside_.end) {
    const auto pixel =
        std::clamp<int64_t>(static_cast<int64_t>(std::floor(centre(inside_.end))), 0, length - 1);
    ++before_[static_cast<size_t>(pixel) + 1];
  }
  for (size_t p = 1; p < before_.size(); ++p) before_[p] += before_[p - 1];
}

Taps Axis::taps(int64_t index) const {
  const double support = std::max(std::abs(side_.step), 1.0);
  const double middle = centre(index);
  const auto begin = std::max<int64_t>(static_cast<int64_t>(std::floor(middle - support + 0.5)), 0);
  const auto end = std::min(static_cast<int64_t>(std::floor(middle + support + 0.5)), length_);
  Taps taps{.first = begin, .weights = {}};
  std::vector<double> exact;
  double total = 0;
  for (int64_t p = begin; p < end; ++p) {
    const double distance = std::abs(static_cast<double>(p) + 0.5 - middle) / support;
    exact.push_back(std::max(1.0 - distance, 0.0));
    total += exact.back();
  }
  for (const double weight : exact) taps.weights.push_back(static_cast<float>(weight / total));
  return taps;
}

}  // namespace cellroute::data
