#include "ops/cpu/kernels.h"

#include <ATen/cpu/Utils.h>
#include <ATen/native/CPUBlas.h>

#include <array>
#include <exception>

namespace cellroute::ops::cpu {
namespace {

#ifdef CELLROUTE_X86_KERNELS
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

/** LibTorch's product of bfloat16 matrices needs oneDNN. It throws where that was not built in, or
 *  where an older instruction set was selected. */
bool multiplies_bfloat16() {
  const std::array<at::BFloat16, 2> row{}, pair{};
  float product = 0;
  try {
    at::native::cpublas::brgemm(1, 1, 2, 2, 1, 1, /*add_C=*/false, row.data(), pair.data(),
                                &product, /*is_vnni=*/true);
    at::native::cpublas::brgemm_release(/*is_vnni=*/true);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

/** Without matrix registers (AMX) too. */
bool has_avx512_bfloat16() {
  return has_avx512() && __builtin_cpu_supports("avx512bf16") && multiplies_bfloat16();
}

bool has_avx512_vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
#endif

struct UsableIntegerKernels {
  std::array<const IntegerKernels*, 3> int8{}, int16{};
};

const UsableIntegerKernels& usable_integer_kernels() {
  static const auto usable = [] {
    UsableIntegerKernels found;
#ifdef CELLROUTE_X86_KERNELS
    size_t count = 0;
    if (has_avx512_vnni()) {
      found.int8.at(count) = &kAvx512Int8Kernels;
      found.int16.at(count++) = &kAvx512Int16Kernels;
    }
    // AVX2 multiplies bytes as 16-bit integers.
    if (has_avx2()) found.int8.at(count) = found.int16.at(count) = &kAvx2Int16Kernels;
#endif
    return found;
  }();
  return usable;
}

}  // namespace

template <>
const Kernels<float>* const* usable_kernels() {
  static const auto usable = [] {
    std::array<const Kernels<float>*, 4> found{};
    size_t count = 0;
#ifdef CELLROUTE_X86_KERNELS
    if (has_avx512()) found.at(count++) = &kAvx512Kernels;
    if (has_avx2()) found.at(count++) = &kAvx2Kernels;
#endif
    found.at(count) = &kBaselineKernels;
    return found;
  }();
  return usable.data();
}

template <>
const Kernels<Bfloat16Bits>* const* usable_kernels() {
  static const auto usable = [] {
    std::array<const Kernels<Bfloat16Bits>*, 2> found{};
#ifdef CELLROUTE_X86_KERNELS
    if (has_avx512_bfloat16()) found[0] = &kAvx512Bfloat16Kernels;
#endif
    return found;
  }();
  return usable.data();
}

const IntegerKernels* const* usable_int8_kernels() { return usable_integer_kernels().int8.data(); }

const IntegerKernels* const* usable_int16_kernels() {
  return usable_integer_kernels().int16.data();
}

int64_t best_panel() { return (*usable_kernels<float>())->panel; }

bool has_matrix_registers() {
#ifdef CELLROUTE_X86_KERNELS
  // The processor may support them while the operating system does not enable them.
  static const bool has = __builtin_cpu_supports("amx-bf16") && at::cpu::init_amx();
  return has;
#else
  return false;
#endif
}

}  // namespace cellroute::ops::cpu
