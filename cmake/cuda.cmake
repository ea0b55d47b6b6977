# LibTorch with CUDA, by its libraries alone: find_package(Torch) would ask for all of the toolkit's, and for a GPU's
# architectures. Sets TORCH_LIBRARIES. Variables: CELLROUTE_LIBTORCH, CELLROUTE_CUDA_ARCHITECTURES.

# Machine code for the first ones, and PTX, from which a driver makes code for later ones.
set(CELLROUTE_CUDA_ARCHITECTURES "90" CACHE STRING "Compute capabilities, as in 80;90")
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES "${CELLROUTE_CUDA_ARCHITECTURES}")
endif()
enable_language(CUDA)
# CMake 3.25.1 and older do not know how nvcc is told of C++20.
if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
endif()
find_package(CUDAToolkit REQUIRED)

add_library(cellroute_torch INTERFACE)
target_include_directories(cellroute_torch SYSTEM INTERFACE
  "${CELLROUTE_LIBTORCH}/include"
  "${CELLROUTE_LIBTORCH}/include/torch/csrc/api/include"
  ${CUDAToolkit_INCLUDE_DIRS})
# Products are not fused into sums: the same numbers as on the CPU, and masks to the bit.
target_compile_options(cellroute_torch INTERFACE
  $<$<COMPILE_LANGUAGE:CUDA>:-fmad=false$<SEMICOLON>--expt-relaxed-constexpr>)
foreach(name c10 c10_cuda torch_cpu torch_cuda torch)
  find_library(CELLROUTE_${name}_LIBRARY ${name} PATHS "${CELLROUTE_LIBTORCH}/lib" NO_DEFAULT_PATH REQUIRED)
  list(APPEND CELLROUTE_TORCH_PATHS "${CELLROUTE_${name}_LIBRARY}")
endforeach()
# LibTorch's own CUDA kernels come with libtorch_cuda, which nothing of ours names.
target_link_libraries(cellroute_torch INTERFACE
  -Wl,--no-as-needed ${CELLROUTE_TORCH_PATHS} -Wl,--as-needed CUDA::cudart)
set(TORCH_LIBRARIES cellroute_torch)
