#include <cstdlib>
#include <string_view>

#include "engine/cuda/graph.h"

namespace cellroute::cuda {

bool graphs_enabled() {
  // Nothing in this process writes to the environment now.
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  const char* value = std::getenv("CELLROUTE_CUDA_GRAPHS");
  return value == nullptr || std::string_view(value) != "0";
}

}  // namespace cellroute::cuda
