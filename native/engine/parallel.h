#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace cellroute {

/** As many threads as loops are spread over here: one inside such a loop. */
int64_t loop_threads();

/** at::parallel_for on the threads that LibTorch has: `work` gets parts of [begin, end), of at
 * least `grain` where there are several, and runs on this thread alone where that is what LibTorch
 * would do.
 *
 *  at::parallel_for itself is a header, and without OpenMP in our own compilation it is a plain
 *  loop, silently; with it we would bring a second OpenMP beside LibTorch's on some systems. */
void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  c10::function_ref<void(int64_t, int64_t)> work);

}  // namespace cellroute
