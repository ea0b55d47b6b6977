#include "mask/coco.h"

#include "error.h"

namespace cellroute::mask {
namespace {

constexpr char kFirst = '0';
constexpr int64_t kMore = 0x20;
constexpr int64_t kSign = 0x10;
constexpr int64_t kDigit = 0x1f;
// 32 bits and a sign need seven groups of five.
constexpr int kMostGroups = 7;
// Counts are differences from the one two before them, but for the first three.
constexpr size_t kFirstDifference = 3;

[[noreturn]] void malformed(const std::string& what, size_t position) {
  throw Error("RLE_MALFORMED", what + " at character " + std::to_string(position), position);
}

int64_t read_number(std::string_view text, size_t& next) {
  const size_t begin = next;
  int64_t value = 0;
  for (int group = 0; group < kMostGroups; ++group) {
    if (next == text.size()) malformed("The text ends inside a count", next);
    const int64_t bits = static_cast<unsigned char>(text[next]) - int64_t{kFirst};
    if (bits < 0 || bits >= 2 * kMore) malformed("Expected a character from '0' to 'o'", next);
    ++next;
    value |= (bits & kDigit) << (5 * group);
    if (bits & kMore) continue;
    if (bits & kSign) value |= -(int64_t{1} << (5 * (group + 1)));
    return value;
  }
  malformed("A count too large for any picture", begin);
}

void write_number(int64_t value, std::string& text) {
  for (bool more = true; more;) {
    int64_t bits = value & kDigit;
    value >>= 5;
    more = value != (bits & kSign ? -1 : 0);
    if (more) bits |= kMore;
    text.push_back(static_cast<char>(kFirst + bits));
  }
}

/** Takes counts of any kind one by one and joins what a run of length 0 sets apart. */
class CountReader {
 public:
  CountReader(uint32_t height, uint32_t width)
      : height_(height), width_(width), pixels_(checked_pixels(height, width)) {}

  /** False where the count leaves the picture. */
  bool add(uint64_t count) {
    if (count > pixels_ - position_) return false;
    const auto begin = static_cast<uint32_t>(position_);
    position_ += count;
    if (inside_) append_run(bounds_, begin, static_cast<uint32_t>(position_));
    inside_ = !inside_;
    return true;
  }

  std::string missing() const {
    return "Counts sum to " + std::to_string(position_) + " of the picture's " +
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
      throw Error("RLE_MALFORMED", "Counts run past the picture at count " + std::to_string(i), i);
    }
  }
  if (!reader.complete()) throw Error("RLE_MALFORMED", reader.missing(), counts.size());
  return reader.finish();
}

Rle from_coco(std::string_view text, uint32_t height, uint32_t width) {
  CountReader reader(height, width);
  int64_t before[2] = {0, 0};
  size_t next = 0;
  for (size_t i = 0; next < text.size(); ++i) {
    const size_t begin = next;
    int64_t count = read_number(text, next);
    if (i >= kFirstDifference) count += before[i % 2];
    if (count < 0) malformed("A negative count", begin);
    before[i % 2] = count;
    if (!reader.add(static_cast<uint64_t>(count))) malformed("Counts run past the picture", begin);
  }
  if (!reader.complete()) malformed(reader.missing(), text.size());
  return reader.finish();
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
