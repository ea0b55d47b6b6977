#include "train/recorded_trunk.h"

#include <c10/util/Exception.h>

#include <algorithm>

#include "engine/cuda/gpu.h"
#include "engine/cuda/graph.h"

namespace cellroute::train {
namespace {

// Each recording keeps the memory of a whole trunk, both ways.
constexpr size_t kSizes = 2;
// A size that comes once or twice is not worth a recording; and libraries get ready.
constexpr int kSeenBefore = 2;

}  // namespace

RecordedTrunk::Size& RecordedTrunk::size_of(const torch::Tensor& batch) {
  const auto shape = batch.sizes().vec();
  const auto found =
      std::ranges::find_if(sizes_, [&](const Size& size) { return size.shape == shape; });
  if (found != sizes_.end()) {
    sizes_.splice(sizes_.begin(), sizes_, found);
  } else {
    if (sizes_.size() == kSizes) sizes_.pop_back();
    sizes_.push_front({.shape = shape, .seen = 0, .recording = {}});
  }
  return sizes_.front();
}

bool RecordedTrunk::give_up() {
  const bool any =
      std::ranges::any_of(sizes_, [](const Size& size) { return size.recording != nullptr; });
  sizes_.clear();
  fits_ = false;
  return any;
}

TrunkOutputs RecordedTrunk::operator()(model::MaskRcnn& network, const torch::Tensor& batch,
                                       const model::Progress& progress) {
  if (!batch.is_cuda() || !fits_ || !cuda::graphs_wanted()) {
    return run_trunk(network, batch, progress);
  }
  auto& size = size_of(batch);
  if (size.seen++ < kSeenBefore) return run_trunk(network, batch, progress);
  if (!size.recording) {
    // What the trunk held until now is held by the recording from here on.
    cuda::release_memory(batch.device().index());
    try {
      size.recording = c10::make_intrusive<TrunkRecording>(network, batch);
    } catch (const c10::OutOfMemoryError&) {
      give_up();
      return run_trunk(network, batch, progress);
    }
  }
  return size.recording->run(batch);
}

}  // namespace cellroute::train
