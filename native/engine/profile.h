#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace cellroute {

/** The seconds that stages of a piece of work took, in the order in which they were first met. A
 *  stage that runs inside another is its own and not part of the other: all together are the work's
 *  time. */
class Profile {
 public:
  using Clock = std::chrono::steady_clock;

  void add(const char* stage, Clock::duration time);
  const std::vector<std::pair<std::string, double>>& seconds() const { return seconds_; }

 private:
  std::vector<std::pair<std::string, double>> seconds_;
};

/** Has this thread's stages noted in a profile, from here to the end of the scope; in none for
 *  null. */
class ProfileScope {
 public:
  explicit ProfileScope(Profile* profile);
  ~ProfileScope();
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  Profile* outer_;
};

/** A stage, from here to the end of the scope. Where nobody profiles it costs a look at a pointer,
 *  so it is for what takes at least microseconds. `name` is a literal. */
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
  Profile::Clock::duration inside_{};  // what stages inside this one took
};

}  // namespace cellroute
