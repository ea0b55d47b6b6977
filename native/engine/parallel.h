#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace cellroute {

/** Number of threads that a loop uses here: one inside another loop. */
int64_t loop_threads();

/** at::parallel_for on LibTorch's threads: calls `work` for parts of [begin, end), of at least
 *  `grain` if there are several, and on this thread only where LibTorch would do so.
 *
 *  Throws Cancelled before or after the loop if this thread's work was cancelled. If it can be
 *  cancelled, each thread gets its part in slices and checks between them.
 *
 *  at::parallel_for itself is a header: without OpenMP in our compilation it is a plain loop, and
 *  with it some systems would load a second OpenMP beside LibTorch's. */
void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  c10::function_ref<void(int64_t, int64_t)> work);

}  // namespace cellroute
