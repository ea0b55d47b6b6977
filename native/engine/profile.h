#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace cellroute {

/** The seconds that the stages of some work took, in the order in which they first ran. The time of
 *  a stage inside another counts only for the inner one: the sum is the time of the work. */
class Profile {
 public:
  using Clock = std::chrono::steady_clock;

  void add(const char* stage, Clock::duration time);
  const std::vector<std::pair<std::string, double>>& seconds() const { return seconds_; }

 private:
  std::vector<std::pair<std::string, double>> seconds_;
};

/** Records this thread's stages in a profile until the end of the scope; null records none. */
class ProfileScope {
 public:
  explicit ProfileScope(Profile* profile);
  ~ProfileScope();
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  Profile* outer_;
};

/** A stage, until the end of the scope. Without a profile it costs a pointer check, so use it for
 *  work of at least microseconds. `name` must be a literal. */
class StageScope {
 public:
  explicit StageScope(const char* name);
  ~StageScope();
  StageScope(const StageScope&) = delete;
  StageScope& operator=(const StageScope&) = delete;

 private:
  Profile* profile_;
  const char* name_;
  StageScope* outer_ = nullptr;
  Profile::Clock::time_point began_;
  Profile::Clock::duration inside_{};  // time of the stages inside this one
};

}  // namespace cellroute
