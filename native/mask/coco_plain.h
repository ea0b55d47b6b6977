#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace cellroute::mask {

/** Reads a COCO string as those are that pycocotools writes, where a count has one character or
 *  two, without asking where it may go wrong. `counts` has room for one a character. Returns how
 *  many it holds: where the text is no mask of so many pixels, or has runs of length 0, they are no
 *  whole mask. */
size_t read_plain_coco(std::string_view text, uint32_t pixels, std::span<uint32_t> counts);

}  // namespace cellroute::mask
