// Both text readers of masks: they return a valid mask, which can be written and read again, or
// throw cellroute::Error.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "error.h"
#include "mask/coco.h"
#include "mask/kaggle.h"

using namespace cellroute;

static void require(bool held) {
  if (!held) std::abort();
}

template <class Read>
static void read_and_write(Read&& read) {
  mask::Rle rle;
  try {
    rle = read();
  } catch (const Error& error) {
    require(error.code() == "RLE_MALFORMED" && error.position().has_value());
    return;
  }
  mask::check_counts(rle.height, rle.width, rle.counts);
  require(mask::from_counts(rle.counts, rle.height, rle.width) == rle);
  require(mask::from_coco(mask::to_coco(rle), rle.height, rle.width) == rle);
  require(mask::from_kaggle(mask::to_kaggle(rle), rle.height, rle.width) == rle);
  require(mask::bounding_box(rle).width <= rle.width);
  require(mask::area(rle) <= uint64_t{rle.height} * rle.width);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Two bytes per side: up to 65,536 by 65,535 pixels, in images of every shape. Large ones take
  // long, because a run may have a part in each column: seven of eight are small.
  if (size < 5) return 0;
  uint16_t sides[2];
  std::memcpy(sides, data, sizeof(sides));
  const bool kaggle = data[4] & 1;
  if (data[4] & 0b1110) {
    for (auto& side : sides) side %= 512;
  }
  const uint32_t height = uint32_t{sides[0]} + 1;
  const uint32_t width = sides[1] == 0 ? 1 : sides[1];
  const std::string_view text(reinterpret_cast<const char*>(data) + 5, size - 5);
  read_and_write([&] {
    return kaggle ? mask::from_kaggle(text, height, width) : mask::from_coco(text, height, width);
  });
  return 0;
}
