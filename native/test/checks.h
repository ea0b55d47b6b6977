#pragma once

// LibTorch also defines CHECK, which ends the process. Its header is included first, so that it
// does not redefine doctest's macro later.
#include <c10/util/Logging.h>
#undef CHECK

#include <doctest/doctest.h>
