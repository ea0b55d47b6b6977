#pragma once

#include <algorithm>
#include <cstddef>
#include <list>

namespace cellroute {

/** The item with that `shape`, in a list that has the last used item first. If there is none, a new
 *  item, which replaces the least recently used one if there are `capacity` items. */
template <typename Item, typename Shape>
Item& most_recent(std::list<Item>& items, const Shape& shape, size_t capacity) {
  const auto found =
      std::ranges::find_if(items, [&](const Item& item) { return item.shape == shape; });
  if (found != items.end()) {
    items.splice(items.begin(), items, found);
  } else {
    if (items.size() == capacity) items.pop_back();
    items.emplace_front().shape = shape;
  }
  return items.front();
}

}  // namespace cellroute
