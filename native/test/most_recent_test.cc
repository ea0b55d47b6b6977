#include "engine/most_recent.h"

#include "checks.h"

namespace most_recent_test {

namespace {

struct Item {
  int shape = 0;
  int used = 0;
};

}  // namespace

TEST_CASE("most_recent: keeps the most recently used items and drops the others") {
  std::list<Item> items;
  const auto use = [&](int shape) { return ++cellroute::most_recent(items, shape, 2).used; };
  CHECK(use(1) == 1);
  CHECK(use(2) == 1);
  CHECK(use(1) == 2);
  // 2 is the least recently used.
  CHECK(use(3) == 1);
  CHECK(use(1) == 3);
  CHECK(use(2) == 1);
  CHECK(items.size() == 2);
  CHECK(items.front().shape == 2);
}

}  // namespace most_recent_test
