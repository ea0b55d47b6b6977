#include "engine/tf32.h"

#include <ATen/Context.h>

#include <condition_variable>
#include <mutex>

namespace cellroute {
namespace {

struct Setting {
  std::mutex mutex;
  std::condition_variable released;
  bool on = false;
  int users = 0;
};

Setting& tf32_setting() {
  static Setting setting;
  return setting;
}

}  // namespace

Tf32::Tf32(bool on) {
  auto& setting = tf32_setting();
  std::unique_lock lock(setting.mutex);
  setting.released.wait(lock, [&] { return setting.users == 0 || setting.on == on; });
  if (setting.users++ > 0) return;
  setting.on = on;
  at::globalContext().setAllowTF32CuDNN(on);
  at::globalContext().setAllowTF32CuBLAS(on);
}

Tf32::~Tf32() {
  auto& setting = tf32_setting();
  const std::lock_guard lock(setting.mutex);
  if (--setting.users == 0) setting.released.notify_all();
}

}  // namespace cellroute
