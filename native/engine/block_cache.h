#pragma once

#include <cstddef>

namespace cellroute {

/** Keeps LibTorch's large blocks of memory for later allocations. The system would clear the pages
 *  of a new block, which costs as much as the work done in it. After install() it handles every
 *  allocation of the process, on any thread. */
class BlockCache {
 public:
  /** Puts the cache between LibTorch and its allocator. Later calls do nothing. */
  static void install();

  /** Blocks freed from now on are kept. */
  static void keep();

  /** Returns the kept blocks to the system and keeps no more. */
  static void release();

  /** Bytes of large blocks, in use and kept: never more than were once in use together. */
  static size_t held();
};

}  // namespace cellroute
