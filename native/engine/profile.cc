#include "engine/profile.h"

#include <algorithm>

namespace cellroute {
namespace {

thread_local Profile* current_profile = nullptr;
thread_local StageScope* current_stage = nullptr;

}  // namespace

void Profile::add(const char* stage, Clock::duration time) {
  const double seconds = std::chrono::duration<double>(time).count();
  const auto found =
      std::ranges::find(seconds_, stage, [](const auto& entry) { return entry.first; });
  if (found == seconds_.end()) {
    seconds_.emplace_back(stage, seconds);
  } else {
    found->second += seconds;
  }
}

ProfileScope::ProfileScope(Profile* profile) : outer_(current_profile) {
  current_profile = profile;
}

ProfileScope::~ProfileScope() { current_profile = outer_; }

StageScope::StageScope(const char* name) : profile_(current_profile), name_(name) {
  if (profile_ == nullptr) return;
  outer_ = current_stage;
  current_stage = this;
  began_ = Profile::Clock::now();
}

StageScope::~StageScope() {
  if (profile_ == nullptr) return;
  const auto time = Profile::Clock::now() - began_;
  profile_->add(name_, time - inside_);
  current_stage = outer_;
  // The outer stage may belong to another profile, whose work did not take this time either.
  if (outer_ != nullptr) outer_->inside_ += time;
}

}  // namespace cellroute
