#include "engine/admission.h"

#include <limits>

#include "error.h"

namespace cellroute {
namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

}  // namespace

const std::shared_ptr<Admission>& Admission::of_process() {
  // Never destroyed: worker threads may end after the statics.
  static const auto& admission =
      *new std::shared_ptr<Admission>(std::make_shared<Admission>(Limits{kNoLimit, kNoLimit}));
  return admission;
}

void Admission::set_limits(Limits limits) {
  {
    const std::lock_guard lock(mutex_);
    limits_ = limits;
  }
  admit();
}

Admission::Limits Admission::limits() {
  const std::lock_guard lock(mutex_);
  return limits_;
}

Admission::Limits Admission::held() {
  const std::lock_guard lock(mutex_);
  return held_;
}

bool Admission::fits(uint64_t bytes) const {
  if (held_.calls == 0) return true;
  return held_.calls < limits_.calls && held_.bytes < limits_.bytes &&
         bytes <= limits_.bytes - held_.bytes;
}

std::shared_ptr<Admission::Room> Admission::try_hold(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  return waiting_.empty() && fits(bytes) ? hold(bytes) : nullptr;
}

void Admission::request(const std::shared_ptr<CancelFlag>& flag, uint64_t bytes, Answer answer) {
  Position position;
  {
    const std::lock_guard lock(mutex_);
    position = {flag->arrival(), requests_++};
    waiting_.emplace(position, Request{bytes, std::move(answer), flag});
  }
  flag->listen(this, [admission = weak_from_this(), position] {
    if (const auto self = admission.lock()) self->cancelled(position);
  });
  admit();
}

std::shared_ptr<Admission::Room> Admission::hold(uint64_t bytes) {
  auto room = std::make_shared<Room>(shared_from_this(), bytes);
  ++held_.calls;
  held_.bytes += bytes;
  return room;
}

void Admission::admit() {
  while (true) {
    Request next;
    std::shared_ptr<Room> room;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty() || !fits(waiting_.begin()->second.bytes)) return;
      room = hold(waiting_.begin()->second.bytes);
      next = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
    }
    next.flag->stop_listening(this);
    next.answer(std::move(room), nullptr);
  }
}

void Admission::cancelled(Position position) {
  Request request;
  {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(position);
    if (found == waiting_.end()) return;
    request = std::move(found->second);
    waiting_.erase(found);
  }
  request.answer(nullptr, std::make_exception_ptr(Cancelled()));
  // The cancelled request may have been the first, for which all others waited.
  admit();
}

void Admission::release(uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    --held_.calls;
    held_.bytes -= bytes;
  }
  admit();
}

}  // namespace cellroute
