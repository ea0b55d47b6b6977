#include "engine/cancel.h"

#include <memory>
#include <string>
#include <vector>

#include "checks.h"

namespace cancel_test {

using cellroute::CancelFlag;
using cellroute::Cancellation;
using cellroute::Cancelled;
using cellroute::CancelScope;
using cellroute::throw_if_cancelled;

TEST_CASE("cancel flag: calls each listener once, and a late listener immediately") {
  CancelFlag flag;
  std::vector<std::string> called;
  const int first = 0, second = 0;
  flag.listen(&first, [&] { called.emplace_back("first"); });
  flag.listen(&second, [&] { called.emplace_back("second"); });
  flag.stop_listening(&first);
  CHECK(!flag.cancelled());
  flag.cancel();
  flag.cancel();
  CHECK(flag.cancelled());
  CHECK(called == std::vector<std::string>{"second"});
  flag.listen(&first, [&] { called.emplace_back("late"); });
  CHECK(called == std::vector<std::string>{"second", "late"});
}

TEST_CASE("cancel flag: a later flag has a later arrival") {
  const CancelFlag first, second;
  CHECK(first.arrival() < second.arrival());
}

TEST_CASE("cancellation: requested when all flags are set; scopes can be nested") {
  const auto a = std::make_shared<CancelFlag>(), b = std::make_shared<CancelFlag>();
  const Cancellation both({a, b}), none({});
  CHECK_NOTHROW(throw_if_cancelled());
  {
    const CancelScope scope(&both);
    CHECK(Cancellation::current() == &both);
    a->cancel();
    CHECK_NOTHROW(throw_if_cancelled());
    b->cancel();
    CHECK_THROWS_AS(throw_if_cancelled(), Cancelled);
    {
      const CancelScope uninterruptible(nullptr);
      CHECK_NOTHROW(throw_if_cancelled());
    }
    CHECK_THROWS_AS(throw_if_cancelled(), Cancelled);
  }
  CHECK_NOTHROW(throw_if_cancelled());
  CHECK(!none.requested());
}

}  // namespace cancel_test
