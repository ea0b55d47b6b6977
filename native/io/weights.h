#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
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

/** Copies the entries into the module's parameters and buffers of the same dotted names, casting to
 *  the module's types. What does not fit is reported, and left as it was. BatchNorm's
 *  num_batches_tracked counts steps of training and may be absent on either side. */
LoadReport load_state(torch::nn::Module& module, const MappedFile& file,
                      const std::vector<TensorEntry>& entries, const Poll& poll);

}  // namespace cellroute::io
