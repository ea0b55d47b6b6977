#pragma once

#include <c10/core/Device.h>

#include <string>

namespace cellroute {

/** The device of 'cpu', 'cuda' (the first GPU), 'cuda:1' or 'auto' (the first GPU that can be used,
 *  else the CPU). Wakes CUDA unless it is 'cpu'. Throws DEVICE_UNAVAILABLE, with why and what
 * helps.
 */
c10::Device resolve_device(const std::string& name);

/** The same of a name that resolve_device gave: touches nothing. */
c10::Device device_named(const std::string& name);

}  // namespace cellroute
