#include "io/weights.h"

#include <bit>
#include <cstring>
#include <limits>
#include <sstream>
#include <unordered_map>

#include "error.h"

namespace cellroute::io {
namespace {

static_assert(std::endian::native == std::endian::little, "files of weights are little-endian");

[[noreturn]] void refuse(const TensorEntry& entry, const std::string& why) {
  throw Error("WEIGHTS_DAMAGED", entry.name + ": " + why, entry.offset);
}

/** a * b + c for non-negative numbers; refused if the result does not fit int64. */
int64_t multiply_add(const TensorEntry& entry, int64_t a, int64_t b, int64_t c = 0) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  if (a != 0 && b > (kMax - c) / a) refuse(entry, "its size overflows");
  return a * b + c;
}

/** Elements from the first to the last one, both included; 0 for a tensor without elements. */
int64_t checked_extent(const MappedFile& file, const TensorEntry& entry, int64_t item_bytes) {
  if (entry.shape.size() != entry.strides.size())
    refuse(entry, "shape and strides differ in length");
  bool empty = false;
  int64_t elements = 1, extent = 1;
  for (size_t d = 0; d < entry.shape.size(); ++d) {
    const int64_t size = entry.shape[d], stride = entry.strides[d];
    if (size < 0 || stride < 0) refuse(entry, "a dimension or stride is negative");
    if (size == 0) {
      empty = true;
      continue;
    }
    elements = multiply_add(entry, elements, size);
    extent = multiply_add(entry, size - 1, stride, extent);
  }
  if (empty) return 0;
  const auto bytes = static_cast<uint64_t>(multiply_add(entry, elements, item_bytes));
  if (bytes > file.size()) {
    refuse(entry, "it needs " + std::to_string(bytes) + " bytes, the whole file has " +
                      std::to_string(file.size()));
  }
  const auto span = static_cast<uint64_t>(multiply_add(entry, extent, item_bytes));
  if (entry.storage_end < entry.offset || span > entry.storage_end - entry.offset) {
    refuse(entry, "its elements reach over the end of its storage at byte " +
                      std::to_string(entry.storage_end));
  }
  if (entry.offset > file.size() || span > file.size() - entry.offset) {
    refuse(entry,
           "its elements reach over the end of the file at byte " + std::to_string(file.size()));
  }
  return extent;
}

std::string shape_text(at::IntArrayRef shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

bool is_step_counter(const std::string& name) {
  constexpr std::string_view kSuffix = "num_batches_tracked";
  return name.ends_with(kSuffix);
}

}  // namespace

torch::Tensor read_tensor(const MappedFile& file, const TensorEntry& entry) {
  const auto item_bytes = static_cast<int64_t>(c10::elementSize(entry.dtype));
  const int64_t extent = checked_extent(file, entry, item_bytes);
  if (extent == 0) return torch::empty(entry.shape, entry.dtype);
  // A byte other than 0 and 1 is not a valid bool in C++.
  const bool is_bool = entry.dtype == torch::kBool;
  auto span = torch::empty({extent}, is_bool ? torch::kUInt8 : entry.dtype);
  const auto bytes = static_cast<uint64_t>(extent * item_bytes);
  std::memcpy(span.data_ptr(), file.range(entry.offset, bytes), bytes);
  if (is_bool) span = span.ne(0);
  return span.as_strided(entry.shape, entry.strides).contiguous();
}

NamedTensors named_tensors(const torch::nn::Module& module) {
  NamedTensors tensors;
  for (const auto& item : module.named_parameters()) tensors.emplace_back(item.key(), item.value());
  for (const auto& item : module.named_buffers()) tensors.emplace_back(item.key(), item.value());
  return tensors;
}

LoadReport load_tensors(const NamedTensors& into, const MappedFile& file,
                        const std::vector<TensorEntry>& entries, Cast cast,
                        const JobContext& poll) {
  const torch::NoGradGuard no_grad;
  std::unordered_map<std::string, torch::Tensor> waiting(into.begin(), into.end());
  LoadReport report;
  for (size_t i = 0; i < entries.size(); ++i) {
    poll("read", static_cast<double>(i) / static_cast<double>(entries.size()));
    const TensorEntry& entry = entries[i];
    const auto found = waiting.find(entry.name);
    if (found == waiting.end()) {
      report.unexpected.push_back(entry.name);
      continue;
    }
    torch::Tensor target = found->second;
    waiting.erase(found);
    if (target.sizes() != at::IntArrayRef(entry.shape)) {
      report.mismatched.push_back(entry.name + ": the file has " + shape_text(entry.shape) +
                                  ", the network " + shape_text(target.sizes()));
    } else if (cast == Cast::kRefused && target.scalar_type() != entry.dtype) {
      report.mismatched.push_back(entry.name + ": the file has " + c10::toString(entry.dtype) +
                                  ", the network " + c10::toString(target.scalar_type()));
    } else {
      target.copy_(read_tensor(file, entry));
      report.loaded.push_back(entry.name);
    }
  }
  for (const auto& [name, tensor] : into) {
    if (waiting.contains(name)) report.missing.push_back(name);
  }
  return report;
}

LoadReport load_state(const torch::nn::Module& module, const MappedFile& file,
                      const std::vector<TensorEntry>& entries, const JobContext& poll) {
  auto report = load_tensors(named_tensors(module), file, entries, Cast::kAllowed, poll);
  std::erase_if(report.missing, is_step_counter);
  std::erase_if(report.unexpected, is_step_counter);
  return report;
}

}  // namespace cellroute::io
