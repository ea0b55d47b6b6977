#include "engine/device.h"
#include "checks.h"
#include "engine/cuda/gpu.h"
#include "test/errors.h"

namespace device_test {

using cellroute::device_from_name;
using cellroute::resolve_device;

TEST_CASE("a device name is parsed without initialising the device") {
  CHECK(device_from_name("cpu").is_cpu());
  CHECK(device_from_name("cuda").str() == "cuda:0");
  CHECK(device_from_name("cuda:3").index() == 3);
}

TEST_CASE("the CPU is always available, and auto always returns a device") {
  CHECK(resolve_device("cpu").is_cpu());
  const auto device = resolve_device("auto");
  CHECK((device.is_cpu() || device.is_cuda()));
}

TEST_CASE("a GPU that cannot be used is refused with the reason") {
  const auto gpus = cellroute::cuda::find_gpus();
  if (gpus.list.empty()) {
    CHECK(!gpus.problem.empty());
    CHECK_THROWS_WITH_AS(resolve_device("cuda"), doctest::Contains(gpus.problem.c_str()),
                         cellroute::Error);
  }
  try {
    resolve_device("cuda:99");
    FAIL("no machine has a hundred GPUs");
  } catch (const cellroute::Error& error) {
    CHECK(error.code() == "DEVICE_UNAVAILABLE");
  }
}

}  // namespace device_test
