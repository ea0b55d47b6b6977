#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/job.h"
#include "io/mapped_file.h"
#include "nn.h"

namespace cellroute::io {

/** Position of a tensor in a file, as stated by untrusted input: every value is checked before
 *  use. */
struct TensorEntry {
  std::string name;
  torch::ScalarType dtype;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // in elements, not negative
  uint64_t offset;               // bytes from the start of the file to element 0, any alignment
  uint64_t storage_end;          // first byte after the storage that contains it
};

/** Copies a tensor from the file into new contiguous memory. Throws WEIGHTS_DAMAGED with
 *  the tensor's name if an element lies outside its storage or the file, or if overlapping
 *  elements would need more memory than the whole file has. */
torch::Tensor read_tensor(const MappedFile& file, const TensorEntry& entry);

/** How a file's tensors matched a module's. Each entry of `mismatched` is a sentence with both
 *  shapes. */
struct LoadReport {
  std::vector<std::string> loaded, missing, unexpected, mismatched;
};

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

/** A module's parameters followed by its buffers, by dotted name. These are the tensors
 *  themselves. */
NamedTensors named_tensors(const torch::nn::Module& module);

/** Whether a tensor of one type may be converted to another. */
enum class Cast : bool { kRefused, kAllowed };

/** Copies the entries into the tensors with the same names. Tensors that do not fit are reported
 *  and left unchanged. */
LoadReport load_tensors(const NamedTensors& into, const MappedFile& file,
                        const std::vector<TensorEntry>& entries, Cast cast, const JobContext& poll);

/** The same for a module, with conversion to its types. BatchNorm's num_batches_tracked counts
 *  training steps and may be missing on either side. */
LoadReport load_state(const torch::nn::Module& module, const MappedFile& file,
                      const std::vector<TensorEntry>& entries, const JobContext& poll);

}  // namespace cellroute::io
