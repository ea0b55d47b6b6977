#pragma once

#include <string>

#include "error.h"

namespace cellroute::test {

/** Code of the Error that `work` throws; empty if it throws none. */
std::string code_of(const auto& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

}  // namespace cellroute::test
