#pragma once

// LibTorch has a CHECK too, which ends the process. Its header comes first, so that no later
// include redefines doctest's.
#include <c10/util/Logging.h>
#undef CHECK

#include <doctest/doctest.h>
