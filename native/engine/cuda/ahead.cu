#include "engine/cuda/ahead.h"

#include <c10/core/Event.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <utility>

namespace cellroute::cuda {
namespace {

/** One a thread, as memory is kept by stream; of the pool that enter() does not take from. */
c10::cuda::CUDAStream side_stream() {
  thread_local const auto stream = c10::cuda::getStreamFromPool(/*isHighPriority=*/true);
  return stream;
}

class StreamAhead final : public Ahead {
 public:
  explicit StreamAhead(const std::function<at::Tensor()>& work) {
    const auto stream = side_stream();
    const c10::cuda::CUDAStreamGuard guard(stream);
    value_ = work();
    done_.record(stream);
  }

  at::Tensor take() override {
    const auto stream = c10::cuda::getCurrentCUDAStream();
    done_.block(stream);
    // Or its memory would be filled again by the next one while it is still read here.
    value_.record_stream(stream);
    return std::exchange(value_, {});
  }

 private:
  at::Tensor value_;
  c10::Event done_{c10::kCUDA};
};

}  // namespace

std::unique_ptr<Ahead> Ahead::start(const std::function<at::Tensor()>& work) {
  return std::make_unique<StreamAhead>(work);
}

}  // namespace cellroute::cuda
