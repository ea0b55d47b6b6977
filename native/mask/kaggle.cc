#include "mask/kaggle.h"

#include <charconv>

#include "error.h"
#include "mask/transpose.h"

namespace cellroute::mask {
namespace {

[[noreturn]] void malformed_runs(const std::string& what, size_t position) {
  throw Error("RLE_MALFORMED", what + " at character " + std::to_string(position), position);
}

class Tokens {
 public:
  explicit Tokens(std::string_view text) : text_(text) { skip_spaces(); }

  bool done() const { return next_ == text_.size(); }
  /** Start of the next number, or the end of the text. */
  size_t position() const { return next_; }

  /** The next number, limited to `limit` + 1: larger values are not positions in any image. */
  uint64_t number(uint64_t limit) {
    const size_t begin = next_;
    uint64_t value = 0;
    for (; next_ < text_.size() && text_[next_] != ' '; ++next_) {
      const unsigned digit = static_cast<unsigned char>(text_[next_]) - unsigned{'0'};
      if (digit > 9) malformed_runs("Expected a digit or a space", next_);
      value = value * 10 + digit;
      if (value > limit) malformed_runs("A run leaves the image", begin);
    }
    skip_spaces();
    return value;
  }

 private:
  void skip_spaces() {
    while (next_ < text_.size() && text_[next_] == ' ') ++next_;
  }

  std::string_view text_;
  size_t next_ = 0;
};

}  // namespace

Rle from_kaggle(std::string_view text, uint32_t height, uint32_t width) {
  const uint64_t pixels = checked_pixels(height, width);
  Bounds rows;
  Tokens tokens(text);
  uint64_t end = 0;
  while (!tokens.done()) {
    const size_t start_at = tokens.position();
    const uint64_t start = tokens.number(pixels);
    if (start == 0) malformed_runs("Starts count from 1, but one is 0", start_at);
    if (start <= end) malformed_runs("Runs overlap or do not rise", start_at);
    const size_t length_at = tokens.position();
    if (tokens.done()) malformed_runs("A start without a length", length_at);
    const uint64_t length = tokens.number(pixels - (start - 1));
    if (length == 0) malformed_runs("A run of length 0", length_at);
    end = start - 1 + length;
    append_run(rows, static_cast<uint32_t>(start - 1), static_cast<uint32_t>(end));
  }
  return from_bounds(height, width, transpose(rows, width, height));
}

std::string to_kaggle(const RleView& mask) {
  const auto rows = transpose(run_bounds(mask), mask.height, mask.width);
  // Ten digits are enough for any number; one more for the space.
  constexpr size_t room = 11;
  std::string text;
  text.resize(rows.size() * room);
  char* out = text.data();
  const auto write = [&](uint32_t value) {
    out = std::to_chars(out, out + room, value).ptr;
    *out++ = ' ';
  };
  for (size_t i = 0; i < rows.size(); i += 2) {
    write(rows[i] + 1);
    write(rows[i + 1] - rows[i]);
  }
  text.resize(rows.empty() ? 0 : static_cast<size_t>(out - text.data()) - 1);
  return text;
}

}  // namespace cellroute::mask
