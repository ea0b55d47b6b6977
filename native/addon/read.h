#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cellroute::addon {

/** Reads the fields of a plain JS object once, on the JS thread. The SDK has validated the values,
 *  so a field of the wrong type is a bug; the error names it. */
class Fields {
 public:
  explicit Fields(const Napi::Value& value, std::string path = "");

  bool has(const char* name) const;
  double number(const char* name) const;
  int64_t integer(const char* name) const;
  bool flag(const char* name) const;
  std::string text(const char* name) const;
  Napi::Value value(const char* name) const;
  Fields object(const char* name) const;
  /** Objects of an array. */
  std::vector<Fields> objects(const char* name) const;
  std::vector<double> numbers(const char* name) const;
  std::vector<int64_t> integers(const char* name) const;
  std::vector<std::vector<double>> number_lists(const char* name) const;

 private:
  [[noreturn]] void refuse(const char* name, const char* expected) const;
  Napi::Array array(const char* name) const;

  Napi::Object object_;
  std::string path_;
};

}  // namespace cellroute::addon
