#include "mask/mask_set.h"

#include <span>

namespace cellroute::mask {

std::vector<RleView> MaskSet::checked_views() const {
  std::vector<RleView> views;
  views.reserve(size());
  for (size_t i = 0; i < size(); ++i) {
    const auto own = std::span(counts).subspan(offsets[i], offsets[i + 1] - offsets[i]);
    check_counts(height, width, own);
    views.emplace_back(height, width, own);
  }
  return views;
}

}  // namespace cellroute::mask
