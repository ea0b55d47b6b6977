#pragma once

#include <cstddef>

namespace cellroute {

/** Keeps LibTorch's large blocks of memory for the next one who asks, instead of giving each back
 *  to the system, which would clear it page by page: that costs as much as the work done in it.
 *  Takes part in every allocation of the process once install was called; any thread. */
class BlockCache {
 public:
  /** Puts the cache between LibTorch and its allocator; again, it does nothing. */
  static void install();

  /** Blocks freed from now on are kept. */
  static void keep();

  /** Gives back what is kept, and keeps no more. */
  static void release();

  /** Bytes of large blocks, in use and kept. While keeping never more than were once in use
   *  together. */
  static size_t held();
};

}  // namespace cellroute
