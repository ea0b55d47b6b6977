#pragma once

#include <string>

#include "error.h"

namespace cellroute::test {

/** The code of the Error that `work` throws; empty where it throws none. */
std::string code_of(const auto& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

}  // namespace cellroute::test
