#include "model/norm.h"

#include "tensors.h"

namespace norm_test {

using cellroute::model::FrozenBatchNorm2d;

TEST_CASE("frozen batch norm: (x - mean) / sqrt(var + eps) * weight + bias, without parameters") {
  for (const double eps : {0.0, 1e-5, 0.1}) {
    FrozenBatchNorm2d norm(3, eps);
    torch::manual_seed(5);
    auto buffers = norm->named_buffers();
    REQUIRE(buffers.size() == 4);
    CHECK(norm->parameters().empty());
    for (auto& item : buffers) item.value().copy_(torch::rand({3}) + 0.5);
    const auto x = torch::randn({2, 3, 4, 5});
    const auto y = norm(x);
    for (int64_t c = 0; c < 3; ++c) {
      const auto of = [&](const char* key) { return buffers[key][c].item<double>(); };
      const auto expected = (x.select(1, c).to(torch::kFloat64) - of("running_mean")) /
                                std::sqrt(of("running_var") + eps) * of("weight") +
                            of("bias");
      CHECK(torch::allclose(y.select(1, c).to(torch::kFloat64), expected, 1e-5, 1e-5));
    }
  }
}

}  // namespace norm_test
