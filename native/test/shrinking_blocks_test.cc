#include "ops/cpu/shrinking_blocks.h"

#include <doctest/doctest.h>

using cellroute::ops::cpu::ShrinkingBlocks;

TEST_CASE("shrinking blocks: everything once, whole multiples, never more than before") {
  for (const int64_t count : {1, 5, 6, 7, 48, 221, 3400}) {
    for (const int64_t threads : {1, 2, 16}) {
      CAPTURE(count);
      CAPTURE(threads);
      const ShrinkingBlocks blocks(count, 48, 6, threads);
      int64_t at = 0, before = blocks.largest();
      for (int64_t b = 0; b < blocks.blocks(); ++b) {
        CHECK(blocks.begin(b) == at);
        const int64_t size = blocks.end(b) - at;
        CHECK(size > 0);
        CHECK(size <= before);
        CHECK((size % 6 == 0 || blocks.end(b) == count));
        at = blocks.end(b);
        before = size;
      }
      CHECK(at == count);
      CHECK(blocks.largest() <= 48);
      CHECK(blocks.largest() % 6 == 0);
    }
  }
}

TEST_CASE("shrinking blocks: none of nothing; one thread has no reason to shrink them") {
  CHECK(ShrinkingBlocks(0, 48, 6, 2).blocks() == 0);
  const ShrinkingBlocks blocks(480, 48, 6, 1);
  CHECK(blocks.blocks() == 10);
}
