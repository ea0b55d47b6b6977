#pragma once

namespace cellroute::addon {

/** Keeps this library in memory until the process ends. Node unloads an addon with the last
 *  environment that uses it, for example a worker. LibTorch remains loaded and still calls objects
 *  that were registered with it, such as our allocator (engine/block_cache.h). */
void stay_loaded();

}  // namespace cellroute::addon
