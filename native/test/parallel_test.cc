#include "engine/parallel.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "engine/cancel.h"
#include "tensors.h"

namespace parallel_test {

using cellroute::parallel_for;

namespace {

/** Sets the number of threads during its lifetime. */
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace

TEST_CASE("parallel_for: each index once, for any count and grain") {
  for (const int threads : {1, 2, 3, 7}) {
    const Threads some(threads);
    for (const int64_t count : {0, 1, 2, 3, 7, 8, 100, 1001}) {
      for (const int64_t grain : {1, 3, 64, 5000}) {
        std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
        parallel_for(5, 5 + count, grain, [&](int64_t begin, int64_t end) {
          CHECK(begin < end);
          for (int64_t i = begin; i < end; ++i) ++seen.at(static_cast<size_t>(i - 5));
        });
        for (const auto& times : seen) CHECK(times == 1);
      }
    }
  }
}

TEST_CASE("parallel_for: uses as many threads as LibTorch has") {
  const Threads two(2);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  parallel_for(0, 2, 1, [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  CHECK(threads.size() == 2);
}

TEST_CASE("parallel_for: one part runs on this thread, and so does a nested loop") {
  const Threads two(2);
  const auto here = std::this_thread::get_id();
  parallel_for(0, 10, 10, [&](int64_t begin, int64_t end) {
    CHECK(begin == 0);
    CHECK(end == 10);
    CHECK(std::this_thread::get_id() == here);
  });
  std::atomic<int> parts = 0;
  std::atomic<bool> moved = false;
  parallel_for(0, 2, 1, [&](int64_t, int64_t) {
    const auto outer = std::this_thread::get_id();
    parallel_for(0, 100, 1, [&](int64_t, int64_t) {
      ++parts;
      if (std::this_thread::get_id() != outer) moved = true;
    });
  });
  CHECK(parts == 2);
  CHECK_FALSE(moved);
}

TEST_CASE("parallel_for: an exception of a part is thrown") {
  const Threads two(2);
  const auto fail = [](int64_t begin, int64_t) {
    if (begin > 0) throw std::runtime_error("second part");
  };
  CHECK_THROWS_WITH_AS(parallel_for(0, 2, 1, fail), "second part", std::runtime_error);
}

TEST_CASE("parallel_for: cancelled work stops between slices and throws on the calling thread") {
  for (const int threads : {1, 2}) {
    CAPTURE(threads);
    const Threads some(threads);
    const auto flag = std::make_shared<cellroute::CancelFlag>();
    const cellroute::Cancellation cancellation({flag});
    const cellroute::CancelScope scope(&cancellation);
    std::atomic<int64_t> done = 0;
    CHECK_THROWS_AS(parallel_for(0, 1000, 1,
                                 [&](int64_t begin, int64_t end) {
                                   done += end - begin;
                                   flag->cancel();
                                 }),
                    cellroute::Cancelled);
    // At most one slice, a sixteenth of a thread's part, per thread.
    CHECK(done <= threads * 63);
    // Nothing starts afterwards.
    done = 0;
    CHECK_THROWS_AS(
        parallel_for(0, 10, 1, [&](int64_t begin, int64_t end) { done += end - begin; }),
        cellroute::Cancelled);
    CHECK(done == 0);
  }
}

TEST_CASE("parallel_for: slices are not smaller than the grain and cover each index once") {
  const Threads two(2);
  const auto flag = std::make_shared<cellroute::CancelFlag>();
  const cellroute::Cancellation cancellation({flag});
  const cellroute::CancelScope scope(&cancellation);
  std::vector<std::atomic<int>> seen(1003);
  std::atomic<int> small = 0;
  parallel_for(0, 1003, 40, [&](int64_t begin, int64_t end) {
    if (end - begin < 40) ++small;
    for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
  });
  for (const auto& times : seen) CHECK(times == 1);
  // The last slice of each part.
  CHECK(small <= 2);
}

}  // namespace parallel_test
