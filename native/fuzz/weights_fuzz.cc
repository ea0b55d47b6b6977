// A table of weights with any shapes, strides and offsets over a small file: tensors inside the
// file, or cellroute::Error.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "error.h"
#include "io/mapped_file.h"
#include "io/weights.h"

using namespace cellroute;

namespace {

constexpr size_t kFileBytes = 4099;

const io::MappedFile& weights() {
  static const io::MappedFile file([] {
    char path[] = "/tmp/cellroute-weights-XXXXXX";
    const int descriptor = mkstemp(path);
    if (descriptor < 0) std::abort();
    FILE* out = fdopen(descriptor, "wb");
    for (size_t i = 0; i < kFileBytes; ++i) std::fputc(static_cast<int>(i * 7), out);
    std::fclose(out);
    return std::string(path);
  }());
  return file;
}

/** Reads numbers of any size. Most are small, because otherwise no tensor would fit the file. */
struct Input {
  const uint8_t* data;
  size_t size;

  uint8_t byte() {
    if (size == 0) return 0;
    --size;
    return *data++;
  }
  int64_t number() {
    const uint8_t kind = byte();
    if (kind < 200) return kind % 24;
    if (kind < 240) return int64_t{byte()} * 256 + byte();
    int64_t value = 0;
    const size_t length = std::min(size, sizeof(value));
    std::memcpy(&value, data, length);
    data += length;
    size -= length;
    return value;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr torch::ScalarType kTypes[] = {
      torch::kFloat, torch::kDouble, torch::kHalf, torch::kBFloat16, torch::kLong,
      torch::kInt,   torch::kShort,  torch::kChar, torch::kByte,     torch::kBool};
  Input input{data, size};
  io::TensorEntry entry;
  entry.name = "weight";
  entry.dtype = kTypes[input.byte() % std::size(kTypes)];
  const size_t dimensions = input.byte() % 6;
  for (size_t d = 0; d < dimensions; ++d) entry.shape.push_back(input.number());
  const size_t strides = input.byte() < 250 ? dimensions : input.byte() % 6;
  for (size_t d = 0; d < strides; ++d) entry.strides.push_back(input.number());
  entry.offset = static_cast<uint64_t>(input.number());
  entry.storage_end = input.byte() < 128 ? kFileBytes : static_cast<uint64_t>(input.number());
  try {
    const auto tensor = io::read_tensor(weights(), entry);
    if (!tensor.is_contiguous() || tensor.sizes() != at::IntArrayRef(entry.shape)) std::abort();
    if (tensor.numel() > 0 && tensor.nbytes() > kFileBytes) std::abort();
  } catch (const Error& error) {
    if (error.code() != "WEIGHTS_DAMAGED") std::abort();
  }
  return 0;
}
