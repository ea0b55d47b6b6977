#include "engine/tf32.h"

#include <ATen/Context.h>

#include <condition_variable>
#include <mutex>

namespace cellroute {
namespace {

struct Switch {
  std::mutex mutex;
  std::condition_variable released;
  bool on = false;
  int users = 0;
};

Switch& the_switch() {
  static Switch one;
  return one;
}

}  // namespace

Tf32::Tf32(bool on) {
  auto& one = the_switch();
  std::unique_lock lock(one.mutex);
  one.released.wait(lock, [&] { return one.users == 0 || one.on == on; });
  if (one.users++ > 0) return;
  one.on = on;
  at::globalContext().setAllowTF32CuDNN(on);
  at::globalContext().setAllowTF32CuBLAS(on);
}

Tf32::~Tf32() {
  auto& one = the_switch();
  const std::lock_guard lock(one.mutex);
  if (--one.users == 0) one.released.notify_all();
}

}  // namespace cellroute
