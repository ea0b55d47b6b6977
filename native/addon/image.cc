#include "addon/image.h"

#include "addon/read.h"

namespace cellroute::addon {

io::Image read_image(const Napi::Value& value) {
  const Fields fields(value, "image");
  const auto array = fields.value("data").As<Napi::TypedArray>();
  io::Image image;
  image.width = fields.integer("width");
  image.height = fields.integer("height");
  image.channels = fields.integer("channels");
  switch (array.TypedArrayType()) {
    case napi_uint8_array:
      image.type = io::Image::Type::kU8;
      break;
    case napi_uint16_array:
      image.type = io::Image::Type::kU16;
      break;
    case napi_float32_array:
      image.type = io::Image::Type::kF32;
      break;
    default:
      throw Napi::TypeError::New(value.Env(), "cellroute: image.data has a wrong type");
  }
  const auto elements = static_cast<double>(image.width) * static_cast<double>(image.height) *
                        static_cast<double>(image.channels);
  if (static_cast<double>(array.ElementLength()) != elements) {
    throw Napi::RangeError::New(value.Env(), "cellroute: image.data has a wrong length");
  }
  const auto* bytes = static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  image.bytes.assign(bytes, bytes + array.ByteLength());
  return image;
}

}  // namespace cellroute::addon
