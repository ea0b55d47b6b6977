# LibTorch with CUDA, by its libraries alone: find_package(Torch) would ask for all of the toolkit's, and for a GPU's
# architectures. Sets TORCH_LIBRARIES. Variables: CELLROUTE_LIBTORCH, CELLROUTE_CUDA_ARCHITECTURES.

# Machine code for the first ones, and PTX, from which a driver makes code for later ones.
set(CELLROUTE_CUDA_ARCHITECTURES "90" CACHE STRING "Compute capabilities, as in 80;90")
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES "${CELLROUTE_CUDA_ARCHITECTURES}")
endif()
enable_language(CUDA)
# CMake 3.25.1 and older do not know the C++20 flag of nvcc.
if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
endif()
# CMake would add the static runtime, whose current device is not that of LibTorch's shared one.
set(CMAKE_CUDA_RUNTIME_LIBRARY None)
# By its whole name where the toolkit is made of Python's packages, which have no other.
find_library(CELLROUTE_CUDART NAMES cudart libcudart.so.13
  PATHS ${CMAKE_CUDA_IMPLICIT_LINK_DIRECTORIES} "${CMAKE_CUDA_COMPILER_LIBRARY_ROOT}/lib"
  "${CELLROUTE_LIBTORCH}/../nvidia/cu13/lib"
  NO_DEFAULT_PATH REQUIRED)

add_library(cellroute_torch INTERFACE)
target_include_directories(cellroute_torch SYSTEM INTERFACE
  "${CELLROUTE_LIBTORCH}/include"
  "${CELLROUTE_LIBTORCH}/include/torch/csrc/api/include"
  "${CMAKE_CUDA_COMPILER_LIBRARY_ROOT}/include")
# Products are not fused into sums: the same numbers as on the CPU, and masks to the bit.
target_compile_options(cellroute_torch INTERFACE
  $<$<COMPILE_LANGUAGE:CUDA>:-fmad=false$<SEMICOLON>--expt-relaxed-constexpr>)
foreach(name c10 c10_cuda torch_cpu torch_cuda torch)
  find_library(CELLROUTE_${name}_LIBRARY ${name} PATHS "${CELLROUTE_LIBTORCH}/lib" NO_DEFAULT_PATH REQUIRED)
  list(APPEND CELLROUTE_TORCH_PATHS "${CELLROUTE_${name}_LIBRARY}")
endforeach()
# LibTorch's own CUDA kernels come with libtorch_cuda, which nothing of ours names.
target_link_libraries(cellroute_torch INTERFACE
  -Wl,--no-as-needed ${CELLROUTE_TORCH_PATHS} -Wl,--as-needed "${CELLROUTE_CUDART}")
set(TORCH_LIBRARIES cellroute_torch)
