#include "engine/cuda/staged_input.h"

#include <c10/core/Event.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <exception>
#include <optional>

namespace cellroute::cuda {
namespace {

/** One stream per thread, because memory is cached per stream; from the pool that enter() does not
 * use. */
c10::cuda::CUDAStream side_stream() {
  thread_local const auto stream = c10::cuda::getStreamFromPool(/*isHighPriority=*/true);
  return stream;
}

/** Later work on `later` waits for the work that `earlier` already has. */
void make_wait(const c10::cuda::CUDAStream& later, const c10::cuda::CUDAStream& earlier) {
  c10::Event reached{c10::kCUDA};
  reached.record(earlier);
  reached.block(later);
}

class StreamStagedInput final : public StagedInput {
 public:
  explicit StreamStagedInput(const std::function<at::Tensor()>& work) : stream_(side_stream()) {
    const c10::cuda::CUDAStreamGuard guard(stream_);
    value_ = work();
    done_.record(stream_);
  }

  // Tensor::record_stream would do that too, but ends the process if the GPU has failed, because it
  // queries the GPU while memory is freed.
  ~StreamStagedInput() override {
    if (!reader_) return;
    try {
      // Otherwise the next input would overwrite this memory while it is read.
      make_wait(stream_, *reader_);
    } catch (const std::exception&) {
      // The next job reports the failure of the GPU.
    }
  }

  at::Tensor get() override {
    reader_ = c10::cuda::getCurrentCUDAStream();
    done_.block(*reader_);
    return value_;
  }

 private:
  c10::cuda::CUDAStream stream_;
  std::optional<c10::cuda::CUDAStream> reader_;
  c10::Event done_{c10::kCUDA};
  at::Tensor value_;
};

}  // namespace

std::unique_ptr<StagedInput> StagedInput::start(const std::function<at::Tensor()>& work) {
  return std::make_unique<StreamStagedInput>(work);
}

}  // namespace cellroute::cuda
