#pragma once

namespace cellroute::addon {

/** Keeps this library in memory until the process ends. Node unloads an addon with the last
 *  environment that has it, a worker's perhaps; LibTorch stays, and still calls what was registered
 *  with it, our allocator (engine/block_cache.h) first. */
void stay_loaded();

}  // namespace cellroute::addon
