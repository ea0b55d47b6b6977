#include "engine/background.h"

#include <exception>
#include <system_error>
#include <utility>

namespace cellroute {
namespace {

void run(const std::shared_ptr<Job>& job) {
  std::exception_ptr failure;
  try {
    job->run({job});
  } catch (...) {
    failure = std::current_exception();
  }
  const bool cancelled_before_effect = job->cancel_flag()->cancelled() && !job->took_effect();
  job->settle(cancelled_before_effect ? std::make_exception_ptr(Cancelled()) : failure);
}

}  // namespace

void Background::submit(const std::shared_ptr<Job>& job) {
  std::exception_ptr failure;
  {
    const std::lock_guard lock(mutex_);
    join_finished();
    if (!stopping_) {
      auto& started = running_.emplace_back(job);
      try {
        started.thread = std::thread([&started] {
          run(started.job);
          started.done.store(true);
        });
        return;
      } catch (const std::system_error&) {
        // No thread could be started: the job fails.
        failure = std::current_exception();
        running_.pop_back();
      }
    }
  }
  job->settle(failure ? failure : std::make_exception_ptr(Cancelled()));
}

void Background::stop() {
  std::list<Running> ending;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& one : running_) one.job->cancel_flag()->cancel();
    ending.swap(running_);
  }
  for (auto& one : ending) one.thread.join();
}

void Background::join_finished() {
  for (auto it = running_.begin(); it != running_.end();) {
    if (!it->done.load()) {
      ++it;
      continue;
    }
    it->thread.join();
    it = running_.erase(it);
  }
}

}  // namespace cellroute
