#pragma once

/** Marks arithmetic that kernels and the host share: tested on the host, bit-identical on both. */
#ifdef __CUDACC__
#define CELLROUTE_HOST_DEVICE __host__ __device__
#else
#define CELLROUTE_HOST_DEVICE
#endif
