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

/** Calls fn(i) for each i in 0..n-1 on up to `threads` threads, including the calling one, in no
 *  defined order. After an exception no further call starts; the first exception is rethrown
 *  once all threads have finished. */
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
    // The system refused another thread: the threads that started do the work.
  }
  run();
  for (auto& helper : helpers) helper.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace cellroute
