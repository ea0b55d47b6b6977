#include "addon/image.h"

#include <cstdint>
#include <system_error>
#include <thread>
#include <utility>

#include "addon/errors.h"
#include "addon/handle.h"
#include "addon/read.h"
#include "addon/register.h"
#include "error.h"
#include "io/resize.h"

namespace cellroute::addon {

namespace {

/** An image whose pixels are appended in parts. */
struct FilledImage {
  FilledImage(io::Image empty, size_t bytes) : image(std::move(empty)), size(bytes) {
    // Reserves without writing: the copies touch the pages first.
    image.bytes.reserve(size);
  }
  FilledImage(const FilledImage&) = delete;
  FilledImage& operator=(const FilledImage&) = delete;
  ~FilledImage() {
    // Unmapping takes milliseconds per 100 MB, so it is not done on the JS thread, which is often
    // the last owner.
    constexpr size_t kLarge = size_t{32} << 20;
    if (image.bytes.capacity() < kLarge) return;
    try {
      std::thread([bytes = std::move(image.bytes)] {}).detach();
    } catch (const std::system_error&) {
      image.bytes = {};
    }
  }

  io::Image image;
  size_t size;
};

struct Pixels {
  const uint8_t* bytes;
  size_t count;  // elements
  size_t element_size;
  io::Image::Type type;
};

Pixels pixels_of(const Napi::Value& value) {
  if (!value.IsTypedArray()) {
    throw Napi::TypeError::New(value.Env(), "cellroute: image.data is not a typed array");
  }
  const auto array = value.As<Napi::TypedArray>();
  io::Image::Type type{};
  switch (array.TypedArrayType()) {
    case napi_uint8_array:
      type = io::Image::Type::kU8;
      break;
    case napi_uint16_array:
      type = io::Image::Type::kU16;
      break;
    case napi_float32_array:
      type = io::Image::Type::kF32;
      break;
    default:
      throw Napi::TypeError::New(value.Env(), "cellroute: image.data has a wrong type");
  }
  return {static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset(),
          array.ElementLength(), array.ElementSize(), type};
}

struct Described {
  io::Image image;  // without bytes
  Pixels pixels;
};

Described describe(const Napi::Value& value) {
  const Fields fields(value, "image");
  Described described{.image = {}, .pixels = pixels_of(fields.value("data"))};
  auto& image = described.image;
  image.type = described.pixels.type;
  image.width = fields.integer("width");
  image.height = fields.integer("height");
  image.channels = fields.integer("channels");
  const auto elements = static_cast<double>(image.width) * static_cast<double>(image.height) *
                        static_cast<double>(image.channels);
  if (static_cast<double>(described.pixels.count) != elements) {
    throw Napi::RangeError::New(value.Env(), "cellroute: image.data has a wrong length");
  }
  return described;
}

}  // namespace

template <>
struct TypeTag<FilledImage> {
  static constexpr napi_type_tag value{0x51c6de70a94b4f18, 0x8e27f03bd6a1c594};
};

namespace {

Napi::Value create_image(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto [image, pixels] = describe(info[0]);
    const size_t size = pixels.count * pixels.element_size;
    return Handle<FilledImage>::make(env, std::make_shared<FilledImage>(std::move(image), size),
                                     static_cast<int64_t>(size));
  });
}

Napi::Value append_pixels(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto filled = Handle<FilledImage>::get(env, info[0]);
    const auto pixels = pixels_of(info[1]);
    auto& bytes = filled->image.bytes;
    const auto begin = static_cast<size_t>(info[2].As<Napi::Number>().Int64Value());
    const auto end = static_cast<size_t>(info[3].As<Napi::Number>().Int64Value());
    if (pixels.type != filled->image.type || pixels.count * pixels.element_size != filled->size) {
      // A transferred array has no elements.
      throw Error("INVALID_ARGUMENT",
                  "image.data changed its length while the call waited: do not transfer or resize "
                  "it before the call has settled");
    }
    if (begin * pixels.element_size != bytes.size() || begin > end || end > pixels.count) {
      throw Napi::RangeError::New(env, "cellroute: pixels are not appended in order");
    }
    bytes.insert(bytes.end(), pixels.bytes + begin * pixels.element_size,
                 pixels.bytes + end * pixels.element_size);
    return env.Undefined();
  });
}

Napi::Value release_image(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Handle<FilledImage>::release(info.Env(), info[0]);
    return info.Env().Undefined();
  });
}

Napi::Value centred_part(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const Fields image(info[0], "image"), target(info[1], "target");
    const auto part = io::centred_part(image.integer("width"), image.integer("height"),
                                       target.integer("width"), target.integer("height"));
    auto result = Napi::Object::New(env);
    const auto set = [&](const char* name, int64_t value) {
      result.Set(name, Napi::Number::New(env, static_cast<double>(value)));
    };
    set("x", part.left);
    set("y", part.top);
    set("width", part.width);
    set("height", part.height);
    return result;
  });
}

Napi::Value discard_pixels(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const auto buffer = info[0].As<Napi::TypedArray>().ArrayBuffer();
  // If an array cannot be detached, the garbage collector frees its memory.
  (void)napi_detach_arraybuffer(env, buffer);
  return env.Undefined();
}

}  // namespace

io::Image read_image(const Napi::Value& value) {
  auto [image, pixels] = describe(value);
  image.bytes.assign(pixels.bytes, pixels.bytes + pixels.count * pixels.element_size);
  return std::move(image);
}

std::shared_ptr<const io::Image> shared_image(const Napi::Value& value) {
  if (!Handle<FilledImage>::is(value)) return std::make_shared<io::Image>(read_image(value));
  const auto filled = Handle<FilledImage>::get(value.Env(), value);
  if (filled->image.bytes.size() != filled->size) {
    throw Napi::Error::New(value.Env(), "cellroute: the image's pixels are incomplete");
  }
  return {filled, &filled->image};
}

void register_images(Napi::Env env, Napi::Object exports) {
  exports.Set("createImage", Napi::Function::New(env, create_image));
  exports.Set("appendPixels", Napi::Function::New(env, append_pixels));
  exports.Set("releaseImage", Napi::Function::New(env, release_image));
  exports.Set("discardPixels", Napi::Function::New(env, discard_pixels));
  exports.Set("centredPart", Napi::Function::New(env, centred_part));
}

}  // namespace cellroute::addon
