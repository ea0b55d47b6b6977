#include "addon/mask_batch.h"

#include <cmath>
#include <limits>

#include "addon/errors.h"

namespace cellroute::addon {
namespace {

uint32_t read_side(const Napi::Value& value, const char* name) {
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    if (number >= 1 && number <= std::numeric_limits<uint32_t>::max() &&
        number == std::floor(number)) {
      return static_cast<uint32_t>(number);
    }
  }
  throw Error("INVALID_ARGUMENT", std::string(name) + " is not a whole number of pixels");
}

}  // namespace

Size read_size(const Napi::Value& height, const Napi::Value& width) {
  const Size size{read_side(height, "height"), read_side(width, "width")};
  mask::checked_pixels(size.height, size.width);
  return size;
}

MaskBatch read_batch(const Napi::Value& value) {
  if (!value.IsObject()) throw Error("INVALID_ARGUMENT", "A batch of masks must be an object");
  const auto object = value.As<Napi::Object>();
  const auto [height, width] = read_size(object.Get("height"), object.Get("width"));
  MaskBatch batch{height, width, {}};
  // Both are read before their memory is accessed, because a getter could detach the first one.
  const Napi::Value counts = object.Get("counts"), offsets = object.Get("offsets");
  const auto pieces = split<uint32_t>(typed_array<uint32_t>(counts, "counts"),
                                      typed_array<uint32_t>(offsets, "offsets"));
  batch.masks.reserve(pieces.size());
  for (const auto& piece : pieces) {
    read_mask(batch.masks.size(), [&, h = height, w = width] { mask::check_counts(h, w, piece); });
    batch.masks.emplace_back(height, width, piece);
  }
  return batch;
}

std::vector<mask::Rle> copy_batch(const Napi::Value& value) {
  const auto batch = read_batch(value);
  std::vector<mask::Rle> masks;
  masks.reserve(batch.masks.size());
  for (const auto& view : batch.masks) {
    masks.push_back({view.height, view.width, {view.counts.begin(), view.counts.end()}});
  }
  return masks;
}

mask::MaskSet copy_mask_set(const Napi::Value& value) {
  if (!value.IsObject()) throw Error("INVALID_ARGUMENT", "A batch of masks is an object");
  const auto object = value.As<Napi::Object>();
  const auto [height, width] = read_size(object.Get("height"), object.Get("width"));
  // Both are fetched before their memory is looked at: a getter could take the first one's away.
  const Napi::Value given_counts = object.Get("counts"), given_offsets = object.Get("offsets");
  const auto counts = typed_array<uint32_t>(given_counts, "counts");
  const auto offsets = typed_array<uint32_t>(given_offsets, "offsets");
  // Throws where the offsets lead out of the counts.
  split<uint32_t>(counts, offsets);
  return {.height = height,
          .width = width,
          .counts = {counts.begin(), counts.end()},
          .offsets = {offsets.begin(), offsets.end()}};
}

}  // namespace cellroute::addon
