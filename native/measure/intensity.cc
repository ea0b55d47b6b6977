#include "measure/intensity.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "error.h"
#include "measure/blocks.h"
#include "measure/pieces.h"

namespace cellroute::measure {
namespace {

/** The values of one channel; bytes of an image are not aligned for its type. */
template <class Value>
class Channel {
 public:
  Channel(const io::Image& image, uint32_t channel)
      : bytes_(image.bytes.data() + channel * sizeof(Value)),
        pixel_(static_cast<size_t>(image.channels) * sizeof(Value)),
        row_(pixel_ * static_cast<size_t>(image.width)) {}

  double operator()(uint32_t x, uint32_t y) const {
    Value value;
    std::memcpy(&value, bytes_ + y * row_ + x * pixel_, sizeof(Value));
    return static_cast<double>(value);
  }

 private:
  const uint8_t* bytes_;
  size_t pixel_;
  size_t row_;
};

template <class Value, class F>
void for_each_value(std::span<const Piece> pieces, const Channel<Value>& channel, F&& fn) {
  for (const auto& piece : pieces) {
    for (uint32_t y = piece.top; y < piece.bottom; ++y) fn(channel(piece.x, y));
  }
}

/** Pixels of a mask in a window, in the window's columns and rows. */
void read_pieces_in(const mask::RleView& mask, const io::Image& window, const Origin& origin,
                    std::vector<Piece>& pieces) {
  const auto width = static_cast<uint32_t>(window.width);
  const auto height = static_cast<uint32_t>(window.height);
  pieces.clear();
  mask::for_each_column_piece(mask, [&](uint32_t x, uint32_t top, uint32_t bottom) {
    if (x < origin.x || x - origin.x >= width || bottom <= origin.y) return;
    const uint32_t first = std::max(top, origin.y) - origin.y;
    const uint32_t last = std::min(bottom - origin.y, height);
    if (first < last) pieces.push_back({x - origin.x, first, last});
  });
}

template <class Value>
void measure_channel(std::span<const Piece> pieces, const Channel<Value>& channel,
                     Intensities& result, size_t at) {
  double sum = 0;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  size_t count = 0;
  for_each_value(pieces, channel, [&](double value) {
    sum += value;
    low = std::min(low, value);
    high = std::max(high, value);
    ++count;
  });
  const double mean = sum / static_cast<double>(count);
  double squares = 0;
  for_each_value(pieces, channel,
                 [&](double value) { squares += (value - mean) * (value - mean); });
  result.sum[at] = sum;
  result.mean[at] = mean;
  result.min[at] = low;
  result.max[at] = high;
  result.squares[at] = squares;
}

template <class Value>
void measure_all(std::span<const mask::RleView> masks, const io::Image& window,
                 const Origin& origin, uint64_t threads, const Progress& progress,
                 Intensities& result) {
  for_each_block(masks.size(), threads, progress, [&](size_t begin, size_t end) {
    std::vector<Piece> pieces;
    for (size_t i = begin; i < end; ++i) {
      read_pieces_in(masks[i], window, origin, pieces);
      if (pieces.empty()) continue;
      for (const auto& piece : pieces) {
        result.count[i] += static_cast<double>(piece.bottom - piece.top);
      }
      for (uint32_t channel = 0; channel < result.channels; ++channel) {
        measure_channel(std::span<const Piece>(pieces), Channel<Value>(window, channel), result,
                        i * result.channels + channel);
      }
    }
  });
}

}  // namespace

Intensities measure_intensities(std::span<const mask::RleView> masks, const io::Image& window,
                                const Origin& origin, uint64_t threads, const Progress& progress) {
  io::check(window);
  for (const auto& mask : masks) {
    if (origin.x + window.width <= mask.width && origin.y + window.height <= mask.height) continue;
    throw Error("INVALID_ARGUMENT",
                "Masks of " + std::to_string(mask.width) + " x " + std::to_string(mask.height) +
                    " pixels do not fit an image of " + std::to_string(window.width) + " x " +
                    std::to_string(window.height));
  }
  Intensities result;
  result.channels = window.channels >= 3 ? 3 : 1;
  const size_t values = masks.size() * result.channels;
  for (auto* list : {&result.mean, &result.min, &result.max, &result.squares}) {
    list->assign(values, std::numeric_limits<double>::quiet_NaN());
  }
  result.sum.assign(values, 0);
  result.count.assign(masks.size(), 0);
  const auto measure = [&]<typename Value>(Value) {
    measure_all<Value>(masks, window, origin, threads, progress, result);
  };
  switch (window.type) {
    case io::Image::Type::kU8:
      measure(uint8_t{});
      break;
    case io::Image::Type::kU16:
      measure(uint16_t{});
      break;
    case io::Image::Type::kF32:
      measure(float{});
      break;
  }
  return result;
}

}  // namespace cellroute::measure
