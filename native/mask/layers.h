#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mask/rle.h"

namespace cellroute::mask {

/** One run a column, or none, of the columns begin..end. */
struct Layer {
  uint32_t begin;
  uint32_t end;
  /** Where the first column's run is. */
  size_t at;
};

struct Extent {
  Box box;
  uint32_t area = 0;
};

/** Runs of masks by column: the first run of each of a mask's columns is its first layer, the
 * second runs are the next. Runs that meet are then at the same place, where in a list they have to
 * be looked for one by one. A mask has no layers where it has no pixels, where they would be many
 * or mostly empty, where a run goes on in the next column, and in images too tall for 16 bits
 * with a sign: of such numbers every processor finds eight minima at once. */
class Layers {
 public:
  explicit Layers(uint32_t height) : height_(height) {}

  /** Expects that many masks with that many counts together. */
  void reserve(size_t masks, size_t counts);

  /** Nothing where the mask has no layers. */
  std::optional<Extent> add(const RleView& mask);

  /** Those of a mask. */
  std::span<const Layer> of(size_t mask) const {
    return std::span(layers_).subspan(offsets_[mask], offsets_[mask + 1] - offsets_[mask]);
  }

  /** Pixels that mask i has in common with mask j of the others; both have layers. */
  uint32_t common_pixels(size_t i, const Layers& others, size_t j) const;

  /** The runs of a mask with layers in columns begin..end, as a list again. */
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
  // Both 0 where a column has no run; what lies behind used_ is anything.
  std::vector<int16_t> tops_, bottoms_;
  size_t used_ = 0;
  std::vector<Layer> layers_;
  std::vector<size_t> offsets_{0};
  std::vector<LaterRun> later_;  // of the mask that is being added, and more
  size_t later_count_ = 0;
};

}  // namespace cellroute::mask
