#pragma once

#include <c10/core/Device.h>

#include <string>

namespace cellroute {

/** The device of 'cpu', 'cuda' (the first GPU), 'cuda:1' or 'auto' (the first usable GPU, otherwise
 *  the CPU). Initialises CUDA unless the name is 'cpu'. Throws DEVICE_UNAVAILABLE with the cause
 *  and what to do. */
c10::Device resolve_device(const std::string& name);

/** The device of a name that resolve_device returned. Does not initialise CUDA. */
c10::Device device_from_name(const std::string& name);

}  // namespace cellroute
