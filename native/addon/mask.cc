#include "addon/mask.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "addon/arrays.h"
#include "addon/errors.h"
#include "addon/mask_batch.h"
#include "addon/register.h"
#include "mask/coco.h"
#include "mask/contours.h"
#include "mask/iou.h"
#include "mask/kaggle.h"
#include "mask/labels.h"
#include "mask/merge.h"
#include "mask/overlap.h"
#include "mask/pixels.h"
#include "mask/polygon.h"
#include "mask/row_runs.h"

namespace cellroute::addon {
namespace {

using mask::Rle;
using mask::RleView;

/** Offset of the next mask's counts. */
uint32_t checked_offset(size_t counts) {
  if (counts > std::numeric_limits<uint32_t>::max()) {
    throw Error("OUT_OF_MEMORY", "The masks have more runs than a set can hold");
  }
  return static_cast<uint32_t>(counts);
}

Napi::Object counts_to_js(Napi::Env env, const std::vector<uint32_t>& counts,
                          const std::vector<uint32_t>& offsets, uint32_t height, uint32_t width) {
  auto batch = Napi::Object::New(env);
  batch.Set("height", Napi::Number::New(env, height));
  batch.Set("width", Napi::Number::New(env, width));
  batch.Set("counts", to_typed_array(env, counts));
  batch.Set("offsets", to_typed_array(env, offsets));
  return batch;
}

Napi::Value encode(const Napi::CallbackInfo& info) {
  const auto pixels = typed_array<uint8_t>(info[0], "pixels");
  const auto [height, width] = read_size(info[1], info[2]);
  const size_t one = size_t{height} * width;
  if (pixels.size() % one != 0) {
    throw Error("INVALID_ARGUMENT", "The pixels are not a whole number of images");
  }
  std::vector<Rle> masks;
  masks.reserve(pixels.size() / one);
  for (size_t begin = 0; begin < pixels.size(); begin += one) {
    masks.push_back(mask::encode(pixels.subspan(begin, one), height, width));
  }
  return batch_to_js(info.Env(), masks, height, width);
}

Napi::Value decode(const Napi::CallbackInfo& info) {
  const auto batch = read_batch(info[0]);
  const auto zeroed = typed_array<uint8_t>(info[1], "zeroed");
  const size_t one = size_t{batch.height} * batch.width;
  if (zeroed.size() / one != batch.masks.size() || zeroed.size() % one != 0) {
    throw Error("INVALID_ARGUMENT", "The memory for the pixels has the wrong size");
  }
  for (size_t i = 0; i < batch.masks.size(); ++i) {
    mask::decode(batch.masks[i], zeroed.subspan(i * one, one));
  }
  return info.Env().Undefined();
}

/** All values are read before memory is accessed, because a getter could detach it. */
std::vector<Napi::String> read_strings(const Napi::Value& value) {
  if (!value.IsArray()) throw Error("INVALID_ARGUMENT", "texts is not an array");
  const auto array = value.As<Napi::Array>();
  std::vector<Napi::String> strings;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value string = array.Get(i);
    if (!string.IsString()) throw Error("INVALID_ARGUMENT", "texts is not an array of strings");
    strings.push_back(string.As<Napi::String>());
  }
  return strings;
}

/** Calls fn(index, text) for each of many texts, which are passed as a few concatenated strings and
 *  their lengths, because one long string is faster to read than many short ones. Non-ASCII text
 *  has more bytes than its length; readers of masks refuse its first byte. */
template <typename F>
void for_each_text(const std::vector<Napi::String>& joined, std::span<const uint32_t> lengths,
                   F&& fn) {
  std::string text;
  size_t strings_read = 0, at = 0, index = 0;
  for (const uint32_t length : lengths) {
    while (at + length > text.size()) {
      if (strings_read == joined.size()) {
        throw Error("INVALID_ARGUMENT", "texts and lengths do not agree");
      }
      text = joined[strings_read++].Utf8Value();
      at = 0;
    }
    fn(index++, std::string_view(text).substr(at, length));
    at += length;
  }
}

Napi::Value from_kaggle(const Napi::CallbackInfo& info) {
  const auto texts = read_strings(info[0]);
  const auto [height, width] = read_size(info[2], info[3]);
  std::vector<Rle> masks;
  for_each_text(texts, typed_array<uint32_t>(info[1], "lengths"),
                [&, h = height, w = width](size_t i, std::string_view text) {
                  masks.push_back(read_mask(i, [&] { return mask::from_kaggle(text, h, w); }));
                });
  return batch_to_js(info.Env(), masks, height, width);
}

Napi::Value from_coco(const Napi::CallbackInfo& info) {
  const auto texts = read_strings(info[0]);
  const auto [height, width] = read_size(info[2], info[3]);
  const auto lengths = typed_array<uint32_t>(info[1], "lengths");
  const auto counts = typed_array<uint32_t>(info[4], "counts");
  if (std::accumulate(lengths.begin(), lengths.end(), size_t{0}) > counts.size()) {
    throw Error("INVALID_ARGUMENT", "The memory for the counts has the wrong size");
  }
  std::vector<uint32_t> offsets{0};
  offsets.reserve(lengths.size() + 1);
  for_each_text(texts, lengths, [&, h = height, w = width](size_t i, std::string_view text) {
    const auto room = counts.subspan(offsets.back());
    const size_t read = read_mask(i, [&] { return mask::read_coco(text, h, w, room); });
    offsets.push_back(checked_offset(offsets.back() + read));
  });
  return to_typed_array(info.Env(), offsets);
}

template <std::string (*Write)(const RleView&)>
Napi::Value to_texts(const Napi::CallbackInfo& info) {
  const auto batch = read_batch(info[0]);
  auto texts = Napi::Array::New(info.Env(), batch.masks.size());
  for (size_t i = 0; i < batch.masks.size(); ++i) {
    const Napi::HandleScope scope(info.Env());
    texts.Set(static_cast<uint32_t>(i), Napi::String::New(info.Env(), Write(batch.masks[i])));
  }
  return texts;
}

Napi::Value from_counts(const Napi::CallbackInfo& info) {
  const auto pieces = split<uint32_t>(typed_array<uint32_t>(info[0], "counts"),
                                      typed_array<uint32_t>(info[1], "offsets"));
  const auto [height, width] = read_size(info[2], info[3]);
  std::vector<Rle> masks;
  masks.reserve(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    masks.push_back(
        read_mask(i, [&, h = height, w = width] { return mask::from_counts(pieces[i], h, w); }));
  }
  return batch_to_js(info.Env(), masks, height, width);
}

Napi::Value from_polygons(const Napi::CallbackInfo& info) {
  const auto polygons = split<double>(typed_array<double>(info[0], "points"),
                                      typed_array<uint32_t>(info[1], "polygons"));
  const auto groups =
      split<std::span<const double>>(polygons, typed_array<uint32_t>(info[2], "offsets"));
  const auto [height, width] = read_size(info[3], info[4]);
  std::vector<Rle> masks;
  masks.reserve(groups.size());
  for (const auto& group : groups) {
    masks.push_back(read_mask(masks.size(), [&, h = height, w = width] {
      std::vector<Rle> drawn;
      drawn.reserve(group.size());
      for (const auto& polygon : group) drawn.push_back(mask::from_polygon(polygon, h, w));
      return mask::union_of(mask::views(drawn), h, w);
    }));
  }
  return batch_to_js(info.Env(), masks, height, width);
}

Napi::Value validate(const Napi::CallbackInfo& info) {
  read_batch(info[0]);
  return info.Env().Undefined();
}

Napi::Value areas(const Napi::CallbackInfo& info) {
  std::vector<uint32_t> result;
  for (const auto& view : read_batch(info[0]).masks) result.push_back(mask::area(view));
  return to_typed_array(info.Env(), result);
}

Napi::Value boxes(const Napi::CallbackInfo& info) {
  std::vector<double> result;
  for (const auto& view : read_batch(info[0]).masks) {
    const auto box = mask::bounding_box(view);
    for (const uint32_t value : {box.x, box.y, box.width, box.height}) result.push_back(value);
  }
  return to_typed_array(info.Env(), result);
}

Napi::Value row_runs(const Napi::CallbackInfo& info) {
  std::vector<uint32_t> result;
  for (const auto& view : read_batch(info[0]).masks) {
    for (const auto& run : mask::row_runs(view)) {
      result.insert(result.end(), {run.x, run.y, run.length});
    }
  }
  return to_typed_array(info.Env(), result);
}

Napi::Value iou(const Napi::CallbackInfo& info) {
  const auto a = read_batch(info[0]);
  const auto b = read_batch(info[1]);
  mask::iou(a.masks, b.masks, typed_array<uint8_t>(info[2], "crowd"),
            typed_array<double>(info[3], "zeroed"));
  return info.Env().Undefined();
}

template <Rle (*Merge)(std::span<const RleView>, uint32_t, uint32_t)>
Napi::Value merge(const Napi::CallbackInfo& info) {
  const auto batch = read_batch(info[0]);
  const Rle merged = Merge(batch.masks, batch.height, batch.width);
  return batch_to_js(info.Env(), {&merged, 1}, batch.height, batch.width);
}

Napi::Value remove_overlaps(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const auto batch = read_batch(info[0]);
  if (!info[1].IsNumber()) throw Error("INVALID_ARGUMENT", "maxLost is not a number");
  const auto left = mask::remove_overlaps(batch.masks, info[1].As<Napi::Number>().DoubleValue());
  auto result = Napi::Object::New(env);
  result.Set("masks", batch_to_js(env, left.masks, batch.height, batch.width));
  result.Set("kept", to_typed_array(env, left.kept));
  return result;
}

Napi::Value from_labels(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const auto [height, width] = read_size(info[1], info[2]);
  mask::Labelled labelled;
  const auto read = [&, h = height, w = width]<typename Label>(std::span<Label> labels) {
    labelled = mask::from_labels(std::span<const Label>(labels), h, w);
  };
  if (is_array_of<uint8_t>(info[0])) {
    read(typed_array<uint8_t>(info[0], "labels"));
  } else if (is_array_of<uint16_t>(info[0])) {
    read(typed_array<uint16_t>(info[0], "labels"));
  } else {
    read(typed_array<uint32_t>(info[0], "labels"));
  }
  auto result = Napi::Object::New(env);
  result.Set("masks", batch_to_js(env, labelled.masks, height, width));
  result.Set("ids", to_typed_array(env, labelled.ids));
  return result;
}

Napi::Value to_labels(const Napi::CallbackInfo& info) {
  const auto batch = read_batch(info[0]);
  if (is_array_of<uint16_t>(info[1])) {
    mask::to_labels(batch.masks, typed_array<uint16_t>(info[1], "zeroed"));
  } else {
    mask::to_labels(batch.masks, typed_array<uint32_t>(info[1], "zeroed"));
  }
  return info.Env().Undefined();
}

Napi::Value to_labels_in(const Napi::CallbackInfo& info) {
  const auto batch = read_batch(info[0]);
  const auto ids = typed_array<uint32_t>(info[1], "ids");
  const auto sides = typed_array<uint32_t>(info[2], "window");
  if (sides.size() != 4) throw Error("INVALID_ARGUMENT", "A window has four numbers");
  const mask::Window window{sides[0], sides[1], sides[2], sides[3]};
  if (is_array_of<uint16_t>(info[3])) {
    mask::to_labels_in(batch.masks, ids, window, typed_array<uint16_t>(info[3], "zeroed"));
  } else {
    mask::to_labels_in(batch.masks, ids, window, typed_array<uint32_t>(info[3], "zeroed"));
  }
  return info.Env().Undefined();
}

Napi::Value contours(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  std::vector<uint32_t> points, rings{0}, polygons{0}, masks{0};
  const auto add_ring = [&](const mask::Ring& ring) {
    for (const auto& corner : ring) points.insert(points.end(), {corner.x, corner.y});
    rings.push_back(static_cast<uint32_t>(points.size() / 2));
  };
  for (const auto& view : read_batch(info[0]).masks) {
    for (const auto& polygon : mask::contours(view)) {
      add_ring(polygon.outer);
      for (const auto& hole : polygon.holes) add_ring(hole);
      polygons.push_back(static_cast<uint32_t>(rings.size() - 1));
    }
    masks.push_back(static_cast<uint32_t>(polygons.size() - 1));
  }
  auto result = Napi::Object::New(env);
  result.Set("points", to_typed_array(env, points));
  result.Set("rings", to_typed_array(env, rings));
  result.Set("polygons", to_typed_array(env, polygons));
  result.Set("masks", to_typed_array(env, masks));
  return result;
}

template <Napi::Value (*Body)(const Napi::CallbackInfo&)>
void add(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New(
                        exports.Env(),
                        [](const Napi::CallbackInfo& info) {
                          return guarded(info.Env(), [&] { return Body(info); });
                        },
                        name));
}

}  // namespace

Napi::Object batch_to_js(Napi::Env env, std::span<const Rle> masks, uint32_t height,
                         uint32_t width) {
  size_t total = 0;
  for (const auto& rle : masks) total += rle.counts.size();
  checked_offset(total);
  std::vector<uint32_t> counts, offsets{0};
  counts.reserve(total);
  offsets.reserve(masks.size() + 1);
  for (const auto& rle : masks) {
    counts.insert(counts.end(), rle.counts.begin(), rle.counts.end());
    offsets.push_back(static_cast<uint32_t>(counts.size()));
  }
  return counts_to_js(env, counts, offsets, height, width);
}

void register_mask(Napi::Env, Napi::Object exports) {
  add<encode>(exports, "maskEncode");
  add<decode>(exports, "maskDecode");
  add<from_kaggle>(exports, "maskFromKaggle");
  add<to_texts<mask::to_kaggle>>(exports, "maskToKaggle");
  add<from_coco>(exports, "maskFromCoco");
  add<to_texts<mask::to_coco>>(exports, "maskToCoco");
  add<from_counts>(exports, "maskFromCounts");
  add<from_polygons>(exports, "maskFromPolygons");
  add<validate>(exports, "maskValidate");
  add<areas>(exports, "maskAreas");
  add<boxes>(exports, "maskBoxes");
  add<row_runs>(exports, "maskRowRuns");
  add<iou>(exports, "maskIou");
  add<merge<mask::union_of>>(exports, "maskUnion");
  add<merge<mask::intersection_of>>(exports, "maskIntersection");
  add<remove_overlaps>(exports, "maskRemoveOverlaps");
  add<from_labels>(exports, "maskFromLabels");
  add<to_labels>(exports, "maskToLabels");
  add<to_labels_in>(exports, "maskToLabelsIn");
  add<contours>(exports, "maskContours");
}

}  // namespace cellroute::addon
