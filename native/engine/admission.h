#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "engine/cancel.h"

namespace cellroute {

/** Limits the memory that the waiting and running calls of a process hold. A call asks for room
 *  before its image is decoded and holds the room until it settles. Requests are admitted in the
 *  order in which their calls arrived. Any thread may use it. */
class Admission : public std::enable_shared_from_this<Admission> {
 public:
  struct Limits {
    uint64_t bytes;
    uint64_t calls;
  };

  /** Room of one call; its destructor returns the room. */
  class Room {
   public:
    Room(std::shared_ptr<Admission> owner, uint64_t bytes)
        : owner_(std::move(owner)), bytes_(bytes) {}
    // Throws only if there is no memory for the list of admitted calls, which ends the process.
    // NOLINTNEXTLINE(bugprone-exception-escape)
    ~Room() { owner_->release(bytes_); }
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;

   private:
    std::shared_ptr<Admission> owner_;
    uint64_t bytes_;
  };

  /** Called once, on any thread, with the room or with Cancelled. Must not throw. */
  using Answer = std::function<void(std::shared_ptr<Room> room, std::exception_ptr failure)>;

  explicit Admission(Limits limits) : limits_(limits) {}

  /** That of the process, without limits until set_limits(). */
  static const std::shared_ptr<Admission>& of_process();

  void set_limits(Limits limits);
  Limits limits();
  /** What admitted calls hold. */
  Limits held();

  /** Room without waiting; null if there is none or if others wait. */
  std::shared_ptr<Room> try_hold(uint64_t bytes);
  /** Asks for room and waits for it. A call that alone exceeds the limits is admitted when no other
   *  call holds room. */
  void request(const std::shared_ptr<CancelFlag>& flag, uint64_t bytes, Answer answer);

 private:
  using Position = std::pair<uint64_t, uint64_t>;  // arrival of the call, order of the request
  struct Request {
    uint64_t bytes;
    Answer answer;
    std::shared_ptr<CancelFlag> flag;
  };

  // With the lock held:
  bool fits(uint64_t bytes) const;
  std::shared_ptr<Room> hold(uint64_t bytes);

  void release(uint64_t bytes);
  void cancelled(Position position);
  /** Admits waiting requests while they fit. */
  void admit();

  std::mutex mutex_;
  Limits limits_;
  Limits held_{0, 0};
  std::map<Position, Request> waiting_;
  uint64_t requests_ = 0;
};

}  // namespace cellroute
