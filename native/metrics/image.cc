#include "metrics/image.h"

#include <span>

namespace cellroute::metrics {

std::vector<mask::RleView> MaskSet::checked_views() const {
  std::vector<mask::RleView> views;
  views.reserve(size());
  for (size_t i = 0; i < size(); ++i) {
    const auto own = std::span(counts).subspan(offsets[i], offsets[i + 1] - offsets[i]);
    mask::check_counts(height, width, own);
    views.emplace_back(height, width, own);
  }
  return views;
}

}  // namespace cellroute::metrics
