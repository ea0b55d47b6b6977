#include "addon/picture.h"

#include "addon/read.h"

namespace cellroute::addon {

io::Picture read_picture(const Napi::Value& value) {
  const Fields fields(value, "picture");
  const auto array = fields.value("data").As<Napi::TypedArray>();
  io::Picture picture;
  picture.width = fields.integer("width");
  picture.height = fields.integer("height");
  picture.channels = fields.integer("channels");
  switch (array.TypedArrayType()) {
    case napi_uint8_array:
      picture.type = io::Picture::Type::kU8;
      break;
    case napi_uint16_array:
      picture.type = io::Picture::Type::kU16;
      break;
    case napi_float32_array:
      picture.type = io::Picture::Type::kF32;
      break;
    default:
      throw Napi::TypeError::New(value.Env(), "cellroute: picture.data has a wrong type");
  }
  const auto elements = static_cast<double>(picture.width) * static_cast<double>(picture.height) *
                        static_cast<double>(picture.channels);
  if (static_cast<double>(array.ElementLength()) != elements) {
    throw Napi::RangeError::New(value.Env(), "cellroute: picture.data has a wrong length");
  }
  const auto* bytes = static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  picture.bytes.assign(bytes, bytes + array.ByteLength());
  return picture;
}

}  // namespace cellroute::addon
