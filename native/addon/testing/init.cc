// An addon of its own, never shipped: shows operators and stages to the parity tests in
// test/golden.
#include <napi.h>

#include "addon/testing/tensor.h"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  cellroute::testing::register_ops(env, exports);
  cellroute::testing::register_model(env, exports);
  cellroute::testing::register_optimizer(env, exports);
  cellroute::testing::register_train(env, exports);
  return exports;
}

NODE_API_MODULE(cellroute_testing, init)
