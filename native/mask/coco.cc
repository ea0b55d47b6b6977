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

namespace {

/** A count of one or two characters, which most are, without asking where it may go wrong. */
int64_t read_short_number(std::string_view text, size_t& next) {
  const uint32_t first = static_cast<unsigned char>(text[next]) - uint32_t{kFirst};
  // Five bits and their sign.
  const auto value = [](uint32_t bits) { return static_cast<int64_t>(bits ^ kSign) - kSign; };
  if (first < kMore) {
    ++next;
    return value(first);
  }
  if (first < 2 * kMore && next + 1 < text.size()) {
    const uint32_t second = static_cast<unsigned char>(text[next + 1]) - uint32_t{kFirst};
    if (second < kMore) {
      next += 2;
      return value(second) * kMore + (first & kDigit);
    }
  }
  return read_number(text, next);
}

/** Takes counts of any kind, one by one. */
Rle read_any(std::string_view text, uint32_t height, uint32_t width) {
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

/** Writes the counts as they are read; false where one is wrong, or 0 and so to be joined. */
bool read_plain(std::string_view text, uint64_t pixels, uint32_t*& out) {
  int64_t before[2] = {0, 0};
  uint64_t left = pixels;
  size_t next = 0;
  for (size_t i = 0; next < text.size(); ++i) {
    int64_t count = read_short_number(text, next);
    if (i >= kFirstDifference) count += before[i % 2];
    before[i % 2] = count;
    if (count <= 0 && (count < 0 || i > 0)) return false;
    if (static_cast<uint64_t>(count) > left) return false;
    left -= static_cast<uint64_t>(count);
    *out++ = static_cast<uint32_t>(count);
  }
  return left == 0;
}

}  // namespace

void append_coco(std::string_view text, uint32_t height, uint32_t width,
                 std::vector<uint32_t>& counts) {
  const uint32_t pixels = checked_pixels(height, width);
  const size_t begin = counts.size();
  counts.resize(begin + text.size());
  uint32_t* out = counts.data() + begin;
  if (read_plain(text, pixels, out)) {
    counts.resize(static_cast<size_t>(out - counts.data()));
    return;
  }
  // The slow way knows what is wrong, if anything is.
  const Rle mask = read_any(text, height, width);
  counts.resize(begin);
  counts.insert(counts.end(), mask.counts.begin(), mask.counts.end());
}

Rle from_coco(std::string_view text, uint32_t height, uint32_t width) {
  Rle mask{height, width, {}};
  append_coco(text, height, width, mask.counts);
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
