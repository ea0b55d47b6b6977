# Finds LibTorch with CUDA by its libraries, because find_package(Torch) needs the whole CUDA toolkit and GPU architectures.
# Sets TORCH_LIBRARIES. Variables: CELLROUTE_LIBTORCH, CELLROUTE_CUDA_ARCHITECTURES.

# Machine code for these architectures; newer ones use PTX, which the driver compiles.
set(CELLROUTE_CUDA_ARCHITECTURES "90" CACHE STRING "Compute capabilities, as in 80;90")
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES "${CELLROUTE_CUDA_ARCHITECTURES}")
endif()
enable_language(CUDA)
# CMake 3.25.1 and older do not know the C++20 flag of nvcc.
if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
endif()
# CMake would link the static runtime, which has its own current device, different from that of LibTorch's shared runtime.
set(CMAKE_CUDA_RUNTIME_LIBRARY None)
# The full file name is needed if the toolkit comes from Python packages, which have no unversioned link.
find_library(CELLROUTE_CUDART NAMES cudart libcudart.so.13
  PATHS ${CMAKE_CUDA_IMPLICIT_LINK_DIRECTORIES} "${CMAKE_CUDA_COMPILER_LIBRARY_ROOT}/lib"
  "${CELLROUTE_LIBTORCH}/../nvidia/cu13/lib"
  NO_DEFAULT_PATH REQUIRED)

add_library(cellroute_torch INTERFACE)
target_include_directories(cellroute_torch SYSTEM INTERFACE
  "${CELLROUTE_LIBTORCH}/include"
  "${CELLROUTE_LIBTORCH}/include/torch/csrc/api/include"
  "${CMAKE_CUDA_COMPILER_LIBRARY_ROOT}/include")
# Products and sums are not fused, so results equal those of the CPU and masks are bit-identical.
target_compile_options(cellroute_torch INTERFACE
  $<$<COMPILE_LANGUAGE:CUDA>:-fmad=false$<SEMICOLON>--expt-relaxed-constexpr>)
foreach(name c10 c10_cuda torch_cpu torch_cuda torch)
  find_library(CELLROUTE_${name}_LIBRARY ${name} PATHS "${CELLROUTE_LIBTORCH}/lib" NO_DEFAULT_PATH REQUIRED)
  list(APPEND CELLROUTE_TORCH_PATHS "${CELLROUTE_${name}_LIBRARY}")
endforeach()
# LibTorch's CUDA kernels are in libtorch_cuda, whose symbols our code does not use directly.
target_link_libraries(cellroute_torch INTERFACE
  -Wl,--no-as-needed ${CELLROUTE_TORCH_PATHS} -Wl,--as-needed "${CELLROUTE_CUDART}")
set(TORCH_LIBRARIES cellroute_torch)
