// A separate addon that exposes operators and stages to the parity tests in test/golden. It is
// never shipped.
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
