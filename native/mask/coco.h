#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mask/rle.h"

namespace cellroute::mask {

/** COCO's uncompressed counts. Runs of length 0 are allowed here, as pycocotools allows them, and
 *  vanish. Throws RLE_MALFORMED, with the index of the count, unless they sum to the image. */
Rle from_counts(std::span<const uint32_t> counts, uint32_t height, uint32_t width);

/** COCO's compressed string: each count, from the fourth on less the one two before it, as groups
 *  of five bits, lowest first, in the characters '0' to 'o'. Throws RLE_MALFORMED, with the index
 * of the character, on anything that is not a whole mask of this image. */
Rle from_coco(std::string_view text, uint32_t height, uint32_t width);

/** The same, into memory that has room for a count a character. Returns how many there are. */
size_t read_coco(std::string_view text, uint32_t height, uint32_t width,
                 std::span<uint32_t> counts);

std::string to_coco(const RleView& mask);

}  // namespace cellroute::mask
