#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace cellroute {

/** An error that a user can act on. `code` is one of those in lib/errors.ts; any other exception
 *  reaches JavaScript as NATIVE_FAILURE. */
class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message,
        std::optional<uint64_t> position = std::nullopt)
      : std::runtime_error(message), code_(std::move(code)), position_(position) {}

  const std::string& code() const { return code_; }
  /** Byte offset or character index at which reading stopped. */
  std::optional<uint64_t> position() const { return position_; }

 private:
  std::string code_;
  std::optional<uint64_t> position_;
};

/** Thrown where a job notices that it was cancelled. JavaScript rejects with `signal.reason`. */
class Cancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled"; }
};

}  // namespace cellroute
