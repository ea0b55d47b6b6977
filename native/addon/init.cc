#include <napi.h>
#include <torch/version.h>

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("libtorch", Napi::String::New(env, TORCH_VERSION));
  return exports;
}

NODE_API_MODULE(cellroute, init)
