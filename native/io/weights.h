#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/job.h"
#include "io/mapped_file.h"

namespace cellroute::io {

/** Where a tensor lies in a file, as somebody outside says: nothing of it is trusted. */
struct TensorEntry {
  std::string name;
  torch::ScalarType dtype;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // in elements, not negative
  uint64_t offset;               // bytes from the start of the file to element 0, any alignment
  uint64_t storage_end;          // first byte past the storage it lies in
};

/** Copies a tensor out of the file: contiguous, owning its memory. Throws WEIGHTS_DAMAGED, with the
 *  tensor's name, where an element lies outside its storage or the file, and where overlapping
 *  elements would need more memory than the whole file has. */
torch::Tensor read_tensor(const MappedFile& file, const TensorEntry& entry);

/** How a file's tensors met a module's. `mismatched` has a sentence an entry, with both shapes. */
struct LoadReport {
  std::vector<std::string> loaded, missing, unexpected, mismatched;
};

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

/** A module's parameters and then its buffers by their dotted names: the tensors themselves. */
NamedTensors named_tensors(const torch::nn::Module& module);

/** Whether a tensor of one type may become one of another. */
enum class Cast : bool { kRefused, kAllowed };

/** Copies the entries into the tensors of the same names. What does not fit is reported, and left
 *  as it was. */
LoadReport load_tensors(const NamedTensors& into, const MappedFile& file,
                        const std::vector<TensorEntry>& entries, Cast cast, const JobContext& poll);

/** The same for a module, casting to its types. BatchNorm's num_batches_tracked counts steps of
 *  training and may be absent on either side. */
LoadReport load_state(const torch::nn::Module& module, const MappedFile& file,
                      const std::vector<TensorEntry>& entries, const JobContext& poll);

}  // namespace cellroute::io
