#include "mask/overlap.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <memory>
#include <new>

#include "error.h"

namespace cellroute::mask {
namespace {

/** One bit per pixel. Memory that no mask reaches is never touched. */
class TakenPixels {
 public:
  explicit TakenPixels(uint64_t pixels)
      : words_(static_cast<uint64_t*>(std::calloc(pixels / 64 + 1, sizeof(uint64_t)))) {
    if (!words_) throw std::bad_alloc();
  }

  void take(uint32_t begin, uint32_t end) {
    for (uint64_t at = begin; at < end;) {
      const auto [word, bits, next] = piece(at, end);
      words_[word] |= bits;
      at = next;
    }
  }

  /** Appends the free parts of begin..end. */
  void append_free(uint32_t begin, uint32_t end, Bounds& free) const {
    for (uint64_t at = begin; at < end;) {
      const auto [word, bits, next] = piece(at, end);
      uint64_t left = bits & ~words_[word];
      const auto base = static_cast<uint32_t>(word * 64);
      while (left != 0) {
        const int first = std::countr_zero(left);
        const int length = std::countr_one(left >> first);
        append_run(free, base + first, base + first + length);
        if (first + length == 64) break;
        // first + length is below 64 here.
        // NOLINTNEXTLINE(clang-analyzer-core.BitwiseShift)
        left &= ~uint64_t{0} << (first + length);
      }
      at = next;
    }
  }

 private:
  struct Piece {
    uint64_t word;
    uint64_t bits;
    uint64_t next;
  };

  /** The part of at..end inside one 64-bit word. */
  static Piece piece(uint64_t at, uint64_t end) {
    const uint64_t word = at / 64;
    const uint64_t next = std::min(end, (word + 1) * 64);
    const uint64_t length = next - at;
    const uint64_t bits = ~uint64_t{0} >> (64 - length) << (at % 64);
    return {word, bits, next};
  }

  struct Free {
    void operator()(uint64_t* words) const { std::free(words); }
  };
  std::unique_ptr<uint64_t[], Free> words_;
};

uint32_t length_of(const Bounds& bounds) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bounds.size(); i += 2) sum += bounds[i + 1] - bounds[i];
  return sum;
}

}  // namespace

WithoutOverlaps remove_overlaps(std::span<const RleView> masks, double max_lost) {
  if (!(max_lost >= 0 && max_lost <= 1)) {
    throw Error("INVALID_ARGUMENT", "Expected a share from 0 to 1 for max_lost");
  }
  WithoutOverlaps result;
  if (masks.empty()) return result;
  const uint32_t height = masks[0].height, width = masks[0].width;
  TakenPixels taken(uint64_t{height} * width);
  Bounds free;
  for (size_t i = 0; i < masks.size(); ++i) {
    if (masks[i].height != height || masks[i].width != width) {
      throw Error("INVALID_ARGUMENT", "Masks of different image sizes cannot overlap");
    }
    free.clear();
    for_each_run(masks[i],
                 [&](uint32_t begin, uint32_t end) { taken.append_free(begin, end, free); });
    const uint32_t whole = area(masks[i]);
    const uint32_t lost = whole - length_of(free);
    if (lost > max_lost * whole) continue;
    for (size_t k = 0; k < free.size(); k += 2) taken.take(free[k], free[k + 1]);
    result.masks.push_back(from_bounds(height, width, free));
    result.kept.push_back(static_cast<uint32_t>(i));
  }
  return result;
}

}  // namespace cellroute::mask
