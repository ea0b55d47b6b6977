#include "addon/read.h"

#include <utility>

namespace cellroute::addon {

Fields::Fields(const Napi::Value& value, std::string path) : path_(std::move(path)) {
  if (!value.IsObject()) {
    throw Napi::TypeError::New(value.Env(), "cellroute: " + path_ + " is not an object");
  }
  object_ = value.As<Napi::Object>();
}

void Fields::refuse(const char* name, const char* expected) const {
  throw Napi::TypeError::New(object_.Env(),
                             "cellroute: " + path_ + "." + name + " is not " + expected);
}

Napi::Value Fields::value(const char* name) const { return object_.Get(name); }

bool Fields::has(const char* name) const {
  const auto found = value(name);
  return !found.IsUndefined() && !found.IsNull();
}

double Fields::number(const char* name) const {
  const auto found = value(name);
  if (!found.IsNumber()) refuse(name, "a number");
  return found.As<Napi::Number>().DoubleValue();
}

int64_t Fields::integer(const char* name) const {
  const auto found = value(name);
  if (!found.IsNumber()) refuse(name, "an integer");
  return found.As<Napi::Number>().Int64Value();
}

bool Fields::flag(const char* name) const {
  const auto found = value(name);
  if (!found.IsBoolean()) refuse(name, "a boolean");
  return found.As<Napi::Boolean>().Value();
}

std::string Fields::text(const char* name) const {
  const auto found = value(name);
  if (!found.IsString()) refuse(name, "a string");
  return found.As<Napi::String>().Utf8Value();
}

Fields Fields::object(const char* name) const { return Fields(value(name), path_ + "." + name); }

Napi::Array Fields::array(const char* name) const {
  const auto found = value(name);
  if (!found.IsArray()) refuse(name, "an array");
  return found.As<Napi::Array>();
}

std::vector<Fields> Fields::objects(const char* name) const {
  const auto items = array(name);
  std::vector<Fields> result;
  result.reserve(items.Length());
  for (uint32_t i = 0; i < items.Length(); ++i) {
    result.emplace_back(items.Get(i), path_ + "." + name);
  }
  return result;
}

std::vector<double> Fields::numbers(const char* name) const {
  const auto items = array(name);
  std::vector<double> result;
  for (uint32_t i = 0; i < items.Length(); ++i) {
    const Napi::Value item = items.Get(i);
    if (!item.IsNumber()) refuse(name, "an array of numbers");
    result.push_back(item.As<Napi::Number>().DoubleValue());
  }
  return result;
}

std::vector<int64_t> Fields::integers(const char* name) const {
  std::vector<int64_t> result;
  for (const double item : numbers(name)) result.push_back(static_cast<int64_t>(item));
  return result;
}

std::vector<std::vector<double>> Fields::number_lists(const char* name) const {
  const auto items = array(name);
  std::vector<std::vector<double>> result;
  for (uint32_t i = 0; i < items.Length(); ++i) {
    auto holder = Napi::Object::New(object_.Env());
    holder.Set("list", items.Get(i));
    result.push_back(Fields(holder, path_ + "." + name).numbers("list"));
  }
  return result;
}

}  // namespace cellroute::addon
