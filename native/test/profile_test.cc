#include "engine/profile.h"

#include <thread>

#include "checks.h"

namespace profile_test {
namespace {

using namespace cellroute;

using std::chrono::milliseconds;

TEST_CASE("profile: a repeated stage is one entry, and entries keep the order of first use") {
  Profile profile;
  profile.add("b", milliseconds(250));
  profile.add("a", milliseconds(500));
  profile.add("b", milliseconds(500));
  REQUIRE(profile.seconds().size() == 2);
  CHECK(profile.seconds()[0] == std::pair<std::string, double>("b", 0.75));
  CHECK(profile.seconds()[1] == std::pair<std::string, double>("a", 0.5));
}

TEST_CASE("profile: the time of an inner stage is not part of the outer one") {
  Profile profile;
  const auto began = Profile::Clock::now();
  {
    const ProfileScope scope(&profile);
    const StageScope outer("outer");
    std::this_thread::sleep_for(milliseconds(5));
    {
      const StageScope inner("inner");
      std::this_thread::sleep_for(milliseconds(20));
    }
    const StageScope second("inner");
    std::this_thread::sleep_for(milliseconds(1));
  }
  const std::chrono::duration<double> whole = Profile::Clock::now() - began;
  REQUIRE(profile.seconds().size() == 2);
  const auto [inner, inner_seconds] = profile.seconds()[0];
  const auto [outer, outer_seconds] = profile.seconds()[1];
  CHECK(inner == "inner");
  CHECK(outer == "outer");
  CHECK(inner_seconds >= 0.021);
  CHECK(outer_seconds >= 0.005);
  // If the inner 21 ms counted twice, the sum would exceed the total.
  CHECK(inner_seconds + outer_seconds <= whole.count());
}

TEST_CASE("profile: nothing is recorded outside a scope, in another thread or with null") {
  Profile profile;
  {
    const StageScope stage("before");
  }
  {
    const ProfileScope scope(&profile);
    std::thread([] { const StageScope stage("elsewhere"); }).join();
    {
      const ProfileScope none(nullptr);
      const StageScope stage("unprofiled");
    }
    const StageScope stage("noted");
  }
  {
    const StageScope stage("after");
  }
  REQUIRE(profile.seconds().size() == 1);
  CHECK(profile.seconds()[0].first == "noted");
}

TEST_CASE("profile: a stage that throws is recorded, and so are later ones") {
  Profile profile;
  const ProfileScope scope(&profile);
  const auto fail = [] {
    const StageScope outer("outer");
    const StageScope failing("failing");
    throw std::runtime_error("stop");
  };
  CHECK_THROWS_AS(fail(), std::runtime_error);
  {
    const StageScope next("next");
  }
  REQUIRE(profile.seconds().size() == 3);
  CHECK(profile.seconds()[0].first == "failing");
  CHECK(profile.seconds()[1].first == "outer");
  CHECK(profile.seconds()[2].first == "next");
}

}  // namespace
}  // namespace profile_test
