#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mask/rle.h"

namespace cellroute::mask {

/** At most one run per column, for the columns begin..end (end exclusive). */
struct Layer {
  uint32_t begin;
  uint32_t end;
  /** Index of the first column's run. */
  size_t at;
};

struct Extent {
  Box box;
  uint32_t area = 0;
};

/** The runs of masks indexed by column. The first run of each column forms a mask's first layer,
 *  the second runs its second layer, and so on. Two masks are then compared column by column
 *  without searching a list. A mask has no layers if it is empty, if it would need many or
 *  mostly empty layers, if a run continues in the next column, or if the image is too tall for
 *  int16_t: every processor computes eight minima of that type in one instruction. */
class Layers {
 public:
  explicit Layers(uint32_t height) : height_(height) {}

  /** Reserves memory for this many masks with this many counts in total. */
  void reserve(size_t masks, size_t counts);

  /** Returns nothing if the mask has no layers. */
  std::optional<Extent> add(const RleView& mask);

  /** The layers of a mask. */
  std::span<const Layer> of(size_t mask) const {
    return std::span(layers_).subspan(offsets_[mask], offsets_[mask + 1] - offsets_[mask]);
  }

  /** Number of pixels that mask i shares with mask j of `others`. Both have layers. */
  uint32_t common_pixels(size_t i, const Layers& others, size_t j) const;

  /** The runs of a mask with layers in the columns begin..end, as a list. */
  Bounds runs(size_t mask, uint32_t begin, uint32_t end) const;

 private:
  struct LaterRun {
    uint32_t column;
    int16_t top;
    int16_t bottom;
  };

  std::optional<Extent> add_first_layer(const RleView& mask);
  void add_later_layers();
  void make_room(size_t columns);
  void close_layer(size_t columns);

  uint32_t height_;
  // Both are 0 in a column without a run. Values from used_ on are undefined.
  std::vector<int16_t> tops_, bottoms_;
  size_t used_ = 0;
  std::vector<Layer> layers_;
  std::vector<size_t> offsets_{0};
  // later runs of the mask that is being added; may be larger than later_count_
  std::vector<LaterRun> later_;
  size_t later_count_ = 0;
};

}  // namespace cellroute::mask
