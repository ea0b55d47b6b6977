#include "engine/cuda/staged_input.h"

#include <c10/core/Event.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <exception>
#include <optional>

namespace cellroute::cuda {
namespace {

/** One a thread, as memory is kept by stream; of the pool that enter() does not take from. */
c10::cuda::CUDAStream side_stream() {
  thread_local const auto stream = c10::cuda::getStreamFromPool(/*isHighPriority=*/true);
  return stream;
}

/** What is given to `later` from here on waits for what `earlier` has been given. */
void put_after(const c10::cuda::CUDAStream& later, const c10::cuda::CUDAStream& earlier) {
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

  // Tensor::record_stream would do that too, and end the process where the GPU has failed: it asks
  // the GPU while memory is freed.
  ~StreamStagedInput() override {
    if (!reader_) return;
    try {
      // Or the next one would fill this one's memory while it is still read.
      put_after(stream_, *reader_);
    } catch (const std::exception&) {
      // A GPU that has failed says so to the next job.
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
