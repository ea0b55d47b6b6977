#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mask/rle.h"

namespace cellroute::mask {

/** Reads COCO's uncompressed counts. As in pycocotools, runs of length 0 are allowed; they are
 *  merged away. Throws RLE_MALFORMED with the index of the count unless the counts sum to height
 *  * width. */
Rle from_counts(std::span<const uint32_t> counts, uint32_t height, uint32_t width);

/** Reads COCO's compressed string. Each count (from the fourth on: its difference from the count
 *  two before it) is written as groups of five bits, lowest group first, in the characters '0'
 *  to 'o'. Throws RLE_MALFORMED with the index of the character if the string is not a complete
 *  mask of this image. */
Rle from_coco(std::string_view text, uint32_t height, uint32_t width);

/** The same, into memory with room for one count per character. Returns the number of counts. */
size_t read_coco(std::string_view text, uint32_t height, uint32_t width,
                 std::span<uint32_t> counts);

std::string to_coco(const RleView& mask);

}  // namespace cellroute::mask
