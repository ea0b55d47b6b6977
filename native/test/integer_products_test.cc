#include "ops/cpu/integer/integer_products.h"

#include <cmath>
#include <limits>
#include <vector>

#include "ops/cpu/integer/integer_matrix.h"
#include "ops/cpu/pointwise/row_products.h"
#include "tensors.h"

namespace integer_products_test {

namespace cpu = cellroute::ops::cpu;

namespace {

struct Form {
  const cpu::IntegerKernels* const* kernels;
  cpu::Levels levels;
  int64_t largest_weight;
};

/** All kernels of this machine, with the limits that convolutions use. */
std::vector<Form> forms() {
  std::vector<Form> found;
  for (const auto* const* k = cpu::usable_int8_kernels(); *k != nullptr; ++k) {
    found.push_back({k, {.lowest = 0, .levels = 255}, 127});
  }
  for (const auto* const* k = cpu::usable_int16_kernels(); *k != nullptr; ++k) {
    found.push_back({k, {.lowest = -2896, .levels = 5792}, 2896});
  }
  return found;
}

/** Slow reference: integers of a row. */
torch::Tensor integers_of(const torch::Tensor& row, const cpu::Levels& levels) {
  const auto least = row.min();
  const auto step = (row.max() - least) / levels.levels;
  return ((row - least) * (1 / step) + levels.lowest).round();
}

/** Integers of a row as a kernel stores them: [depth]. */
torch::Tensor written(const std::vector<std::byte>& words, int64_t depth,
                      const cpu::IntegerKernels& kernels) {
  const auto type = kernels.values_of_word == 2 ? torch::kInt16 : torch::kUInt8;
  return torch::from_blob(const_cast<std::byte*>(words.data()), {depth}, type).to(torch::kFloat32);
}

struct Quantised {
  std::vector<std::byte> words;
  cpu::RowScale scale;
};

Quantised quantise(const torch::Tensor& row, const Form& form) {
  const auto& kernels = **form.kernels;
  Quantised result{.words = std::vector<std::byte>(cpu::row_bytes(row.numel(), kernels)),
                   .scale = {}};
  kernels.quantise({.values = row.const_data_ptr<float>(),
                    .depth = row.numel(),
                    .levels = form.levels,
                    .words = result.words.data(),
                    .scale = &result.scale});
  return result;
}

}  // namespace

TEST_CASE("integers: a row of any length is quantised over its own range") {
  torch::manual_seed(1);
  for (const auto& form : forms()) {
    for (const int64_t depth : {2, 7, 8, 16, 17, 31, 64, 250}) {
      CAPTURE(depth);
      const auto row = torch::randn({depth}) * 3 - 1;
      const auto [words, scale] = quantise(row, form);
      const auto integers = written(words, depth, **form.kernels);
      // A compiler may fuse product and sum, so halfway between two integers both are correct.
      CHECK((integers - integers_of(row, form.levels)).abs().max().item<float>() <= 1);
      CHECK(integers.min().item<float>() == form.levels.lowest);
      CHECK(integers.max().item<float>() == form.levels.lowest + form.levels.levels);
      CHECK((integers * scale.step + scale.zero - row).abs().max().item<float>() <
            0.501F * scale.step);
    }
  }
}

TEST_CASE("integers: equal values, tiny and huge ranges; values that are not finite are reported") {
  constexpr float kMaxFloat = std::numeric_limits<float>::max();
  for (const auto& form : forms()) {
    const auto restored = [&](const torch::Tensor& row) {
      const auto [words, scale] = quantise(row, form);
      return written(words, row.numel(), **form.kernels) * scale.step + scale.zero;
    };
    for (const float value : {0.0F, -2.5F, kMaxFloat}) {
      CHECK(cellroute::test::same(restored(torch::full({20}, value)), torch::full({20}, value)));
    }
    const auto tiny = torch::tensor({1e-42F, 3e-42F, 0.0F});
    CHECK((restored(tiny) - tiny).abs().max().item<float>() <= 3e-42F);
    const auto huge = torch::tensor({kMaxFloat / 4, -kMaxFloat / 4, 1.0F});
    CHECK(torch::allclose(restored(huge), huge, 1e-3, kMaxFloat / 500));
    for (const float strange : {std::nanf(""), std::numeric_limits<float>::infinity(),
                                -std::numeric_limits<float>::infinity()}) {
      for (const int64_t place : {0, 8, 18}) {
        auto row = torch::randn({19});
        row[place] = strange;
        CHECK(restored(row).isnan().all().item<bool>());
      }
    }
  }
}

TEST_CASE("integers: sums are exact with every instruction set, also at their limit") {
  torch::manual_seed(2);
  for (const auto& form : forms()) {
    const auto& kernels = **form.kernels;
    for (const int64_t depth : {1, 5, 16, 250, 256}) {
      for (const int64_t columns : {1, 15, 16, 40}) {
        for (const int64_t count : {1, 6, 7}) {
          // The largest possible sums in the first column, random ones in the others.
          auto weights = torch::randn({columns, depth});
          weights[0].fill_(1);
          const auto matrix = cpu::pack_integers(weights, form.largest_weight, kernels);
          auto rows = torch::rand({count, depth}) * 2 - 0.5;
          rows[0].fill_(1);
          rows[0][0] = depth == 1 ? 1 : -1;

          const int64_t bytes = cpu::row_bytes(depth, kernels);
          std::vector<std::byte> words((count + cpu::kRowsPerStep) * bytes);
          std::vector<cpu::RowScale> scales(count);
          auto expected = torch::zeros({count, columns}, torch::kFloat64);
          const auto steps = weights.abs().amax(1) / static_cast<double>(form.largest_weight);
          const auto integers = (weights / steps.unsqueeze(1)).round().to(torch::kFloat64);
          for (int64_t r = 0; r < count; ++r) {
            const auto row = quantise(rows[r], form);
            std::copy(row.words.begin(), row.words.end(), words.begin() + r * bytes);
            scales[r] = row.scale;
            const auto values = written(row.words, depth, kernels).to(torch::kFloat64);
            expected[r] = (values * row.scale.step + row.scale.zero).matmul(integers.t()) * steps;
          }
          const auto out = torch::full({count, columns + 3}, -7.0F);
          kernels.multiply({.rows = words.data(),
                            .row_bytes = bytes,
                            .row_scales = scales.data(),
                            .count = count,
                            .words = cpu::row_words(depth, kernels),
                            .weights = static_cast<const std::byte*>(matrix.words.data_ptr()),
                            .steps = matrix.steps.const_data_ptr<float>(),
                            .sums = matrix.sums.const_data_ptr<float>(),
                            .columns = columns,
                            .bias = nullptr,
                            .residual = nullptr,
                            .relu = false,
                            .out = out.mutable_data_ptr<float>(),
                            .stride = columns + 3});
          CHECK(
              torch::allclose(out.narrow(1, 0, columns).to(torch::kFloat64), expected, 1e-5, 1e-4));
          // Nothing is written outside the result.
          CHECK((out.narrow(1, columns, 3) == -7).all().item<bool>());
        }
      }
    }
  }
}

}  // namespace integer_products_test
