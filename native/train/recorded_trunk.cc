#include "train/recorded_trunk.h"

#include <c10/util/Exception.h>

#include <algorithm>

#include "engine/cuda/gpu.h"
#include "engine/cuda/graph.h"
#include "engine/most_recent.h"

namespace cellroute::train {
namespace {

// Each recording keeps the memory of a whole trunk for both passes.
constexpr size_t kSizes = 2;
// A size that occurs once or twice is not recorded, and libraries initialise in the first passes.
constexpr int kWarmupUses = 2;

}  // namespace

bool RecordedTrunk::disable() {
  const bool any =
      std::ranges::any_of(sizes_, [](const Size& size) { return size.recording != nullptr; });
  sizes_.clear();
  fits_ = false;
  return any;
}

TrunkOutputs RecordedTrunk::operator()(model::MaskRcnn& network, const torch::Tensor& batch,
                                       const model::Progress& progress) {
  if (!batch.is_cuda() || !fits_ || !cuda::graphs_enabled()) {
    return run_trunk(network, batch, progress);
  }
  auto& size = most_recent(sizes_, batch.sizes().vec(), kSizes);
  if (size.uses++ < kWarmupUses) return run_trunk(network, batch, progress);
  if (!size.recording) {
    // The recording now owns what the trunk kept until now.
    cuda::release_memory(batch.device().index());
    try {
      size.recording = c10::make_intrusive<TrunkRecording>(network, batch);
    } catch (const c10::OutOfMemoryError&) {
      disable();
      return run_trunk(network, batch, progress);
    }
  }
  return size.recording->run(batch);
}

}  // namespace cellroute::train
