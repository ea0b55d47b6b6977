#include "mask/coco.h"

#include <algorithm>

#include "error.h"
#include "mask/coco_digits.h"
#include "mask/coco_plain.h"

namespace cellroute::mask {
namespace {

using namespace coco;

[[noreturn]] void malformed_counts(const std::string& what, size_t position) {
  throw Error("RLE_MALFORMED", what + " at character " + std::to_string(position), position);
}

int64_t read_number(std::string_view text, size_t& next) {
  int64_t value;
  const char* const end = text.data() + text.size();
  if (const char* after = parse_number(text.data() + next, end, value)) {
    next = static_cast<size_t>(after - text.data());
    return value;
  }
  for (size_t at = next; at < next + kMaxGroups; ++at) {
    if (at == text.size()) malformed_counts("The text ends inside a count", at);
    if (group_of(text[at]) >= 2 * kContinuationBit)
      malformed_counts("Expected a character from '0' to 'o'", at);
  }
  malformed_counts("A count too large for any image", next);
}

void write_number(int64_t value, std::string& text) {
  for (bool more = true; more;) {
    int64_t bits = value & kDigitMask;
    value >>= 5;
    more = value != (bits & kSignBit ? -1 : 0);
    if (more) bits |= kContinuationBit;
    text.push_back(static_cast<char>(kFirstDigit + bits));
  }
}

/** Takes counts of any kind one by one and merges the runs on both sides of a run of length 0. */
class CountReader {
 public:
  CountReader(uint32_t height, uint32_t width)
      : height_(height), width_(width), pixels_(checked_pixels(height, width)) {}

  /** Returns false if the count leaves the image. */
  bool add(uint64_t count) {
    if (count > pixels_ - position_) return false;
    const auto begin = static_cast<uint32_t>(position_);
    position_ += count;
    if (inside_) append_run(bounds_, begin, static_cast<uint32_t>(position_));
    inside_ = !inside_;
    return true;
  }

  std::string missing() const {
    return "Counts sum to " + std::to_string(position_) + " of the image's " +
           std::to_string(pixels_) + " pixels";
  }
  bool complete() const { return position_ == pixels_; }
  Rle finish() const { return from_bounds(height_, width_, bounds_); }

 private:
  uint32_t height_;
  uint32_t width_;
  uint64_t pixels_;
  uint64_t position_ = 0;
  bool inside_ = false;
  Bounds bounds_;
};

}  // namespace

Rle from_counts(std::span<const uint32_t> counts, uint32_t height, uint32_t width) {
  CountReader reader(height, width);
  for (size_t i = 0; i < counts.size(); ++i) {
    if (!reader.add(counts[i])) {
      throw Error("RLE_MALFORMED", "Counts run past the image at count " + std::to_string(i), i);
    }
  }
  if (!reader.complete()) throw Error("RLE_MALFORMED", reader.missing(), counts.size());
  return reader.finish();
}

namespace {

/** Takes counts of any kind, one by one. */
Rle read_any(std::string_view text, uint32_t height, uint32_t width) {
  CountReader reader(height, width);
  int64_t before[2] = {0, 0};
  size_t next = 0;
  for (size_t i = 0; next < text.size(); ++i) {
    const size_t begin = next;
    int64_t count = read_number(text, next);
    if (i >= kFirstDifference) count += before[i % 2];
    if (count < 0) malformed_counts("A negative count", begin);
    before[i % 2] = count;
    if (!reader.add(static_cast<uint64_t>(count)))
      malformed_counts("Counts run past the image", begin);
  }
  if (!reader.complete()) malformed_counts(reader.missing(), text.size());
  return reader.finish();
}

}  // namespace

size_t read_coco(std::string_view text, uint32_t height, uint32_t width,
                 std::span<uint32_t> counts) {
  const uint32_t pixels = checked_pixels(height, width);
  const size_t read = read_plain_coco(text, pixels, counts);
  if (is_whole(counts.first(read), pixels)) return read;
  // The checked reader locates the error, if there is one.
  const Rle mask = read_any(text, height, width);
  std::copy(mask.counts.begin(), mask.counts.end(), counts.begin());
  return mask.counts.size();
}

Rle from_coco(std::string_view text, uint32_t height, uint32_t width) {
  Rle mask{height, width, std::vector<uint32_t>(text.size())};
  mask.counts.resize(read_coco(text, height, width, mask.counts));
  return mask;
}

std::string to_coco(const RleView& mask) {
  std::string text;
  for (size_t i = 0; i < mask.counts.size(); ++i) {
    int64_t value = mask.counts[i];
    if (i >= kFirstDifference) value -= mask.counts[i - 2];
    write_number(value, text);
  }
  return text;
}

}  // namespace cellroute::mask
