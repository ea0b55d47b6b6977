#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace cellroute {

/** An error a person can act on. `code` is one of lib/errors.ts; everything else that is thrown
 *  reaches JavaScript as NATIVE_FAILURE. */
class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message,
        std::optional<uint64_t> position = std::nullopt)
      : std::runtime_error(message), code_(std::move(code)), position_(position) {}

  const std::string& code() const { return code_; }
  /** Byte offset or character index where reading stopped. */
  std::optional<uint64_t> position() const { return position_; }

 private:
  std::string code_;
  std::optional<uint64_t> position_;
};

/** Thrown where a job notices that it was cancelled; reaches JavaScript as `signal.reason`. */
class Cancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled"; }
};

}  // namespace cellroute
