#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace cellroute {

/** Runs fn(i) for every i below n on up to `threads` threads, this one among them, in no order. The
 *  first exception keeps the rest from starting, and is thrown once all threads are done. */
template <class F>
void for_each_parallel(size_t n, uint64_t threads, const F& fn) {
  std::atomic<size_t> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  const auto run = [&]() noexcept {
    for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n;) {
      try {
        fn(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next.store(n, std::memory_order_relaxed);
      }
    }
  };
  std::vector<std::thread> helpers;
  helpers.reserve(std::min<uint64_t>(threads, n));
  try {
    for (uint64_t i = 1; i < std::min<uint64_t>(threads, n); ++i) helpers.emplace_back(run);
  } catch (const std::system_error&) {
    // No more threads to be had: those that started do the work.
  }
  run();
  for (auto& helper : helpers) helper.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace cellroute
