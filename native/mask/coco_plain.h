#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace cellroute::mask {

/** Fast reader for strings as pycocotools writes them, with counts of one or two characters. It
 *  does not locate errors: if the string is not a mask of this many pixels or contains runs of
 *  length 0, the returned counts are not a valid mask, and the caller must read the string again
 *  with the checked reader. `counts` needs room for one count per character. Returns the number
 *  of counts. */
size_t read_plain_coco(std::string_view text, uint32_t pixels, std::span<uint32_t> counts);

}  // namespace cellroute::mask
