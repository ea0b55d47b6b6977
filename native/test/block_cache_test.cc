#include "engine/block_cache.h"

#include <torch/types.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include "engine/mapped_block.h"
#include "tensors.h"

namespace block_cache_test {

using cellroute::BlockCache;

namespace {

constexpr int64_t kLarge = int64_t{3} << 20;  // floats

/** Keeps blocks during its lifetime. */
struct Keeping {
  Keeping() { BlockCache::keep(); }
  ~Keeping() { BlockCache::release(); }
  Keeping(const Keeping&) = delete;
  Keeping& operator=(const Keeping&) = delete;
};

const void* place_of_a_new_tensor(int64_t count) { return torch::empty({count}).data_ptr(); }

}  // namespace

TEST_CASE("block cache: a large tensor reuses the memory of a freed one") {
  const Keeping keeping;
  const auto* first = place_of_a_new_tensor(kLarge);
  CHECK(place_of_a_new_tensor(kLarge) == first);
  CHECK(place_of_a_new_tensor(kLarge - 1000) == first);
}

TEST_CASE("block cache: tensors that exist at the same time share no memory") {
  const Keeping keeping;
  std::set<const void*> places;
  std::vector<torch::Tensor> alive;
  for (int i = 0; i < 8; ++i) {
    alive.push_back(torch::full({kLarge / 2 + i}, i, torch::kFloat32));
    places.insert(alive.back().const_data_ptr());
    if (i % 3 == 2) alive.erase(alive.begin());
  }
  for (const auto& tensor : alive) CHECK(tensor.eq(tensor[0]).all().item<bool>());
  CHECK(places.size() >= alive.size());
}

TEST_CASE("block cache: a tensor larger than every kept block is assembled from several") {
  if (!cellroute::MappedBlock::can_move_pages()) return;
  const Keeping keeping;
  {
    // As much was in use at once before.
    const auto one = torch::ones({kLarge}), other = torch::ones({kLarge});
  }
  const auto both = torch::empty({2 * kLarge});
  // New memory of the system would be zeros.
  CHECK(both.eq(1).all().item<bool>());
}

TEST_CASE("block cache: tensors may outlive keeping, and are not kept afterwards") {
  torch::Tensor tensor;
  {
    const Keeping keeping;
    tensor = torch::ones({kLarge});
  }
  CHECK(tensor.sum().item<double>() == static_cast<double>(kLarge));
  tensor.reset();
  const auto again = torch::zeros({kLarge});
  CHECK_FALSE(again.any().item<bool>());
}

TEST_CASE("block cache: every size works, and oneDNN's memory comes from the cache too") {
  const Keeping keeping;
  CHECK(torch::empty({0}).numel() == 0);
  CHECK(torch::ones({3}).sum().item<double>() == 3);
  const auto input = torch::randn({1, 64, 96, 96});
  const auto weight = torch::randn({256, 64, 3, 3});
  const auto expected = torch::conv2d(input.to(torch::kFloat64), weight.to(torch::kFloat64));
  for (int i = 0; i < 2; ++i) {
    const auto result = torch::conv2d(input.to_mkldnn(), weight).to_dense();
    CHECK(torch::allclose(result.to(torch::kFloat64), expected, 1e-3, 1e-3));
  }
}

TEST_CASE("block cache: any thread can allocate and free") {
  const Keeping keeping;
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([t, &wrong] {
      for (int64_t i = 0; i < 50; ++i) {
        // 1 to 14 MB: most blocks do not fit another request, but their pages are reused.
        const int64_t parts = 1 + (i * 7 + static_cast<int64_t>(t)) % 12;
        const auto tensor = torch::full({300'000 * parts}, static_cast<double>(t));
        if (!tensor.eq(static_cast<double>(t)).all().item<bool>()) ++wrong[t];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("block cache: keeping does not raise the peak, whatever the sizes") {
  const Keeping keeping;
  const size_t before = BlockCache::held();
  size_t most = before;
  // No block fits another request, and two exist at the same time.
  torch::Tensor last;
  for (int round = 0; round < 3; ++round) {
    for (const int64_t count : {kLarge, 3 * kLarge, 9 * kLarge, 27 * kLarge}) {
      auto next = torch::empty({count});
      last = next;
      most = std::max(most, BlockCache::held());
    }
  }
  const auto largest = static_cast<size_t>((27 + 9) * kLarge) * sizeof(float);
  // Blocks are rounded up to pages.
  CHECK(most - before <= largest + (size_t{8} << 20));
  CHECK(BlockCache::held() > before);
}

TEST_CASE("block cache: released memory is not held") {
  size_t before = 0;
  {
    const Keeping keeping;
    before = BlockCache::held();
    CHECK(place_of_a_new_tensor(kLarge) != nullptr);
    CHECK(BlockCache::held() >= before + static_cast<size_t>(kLarge) * sizeof(float));
  }
  CHECK(BlockCache::held() == before);
}

}  // namespace block_cache_test
