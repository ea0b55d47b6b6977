# Debian's g++-aarch64-linux-gnu (scripts/cross.mjs).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# Notes that arguments are passed as of GCC 10.1 and not as before.
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi)
# Libraries of this machine must not be found instead of the target's; headers such as doctest's fit both.
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu "${CELLROUTE_LIBTORCH}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
# What LibTorch itself needs (OpenBLAS, Arm Compute Library) is beside it in the wheel.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,${CELLROUTE_LIBTORCH}/lib")
set(CMAKE_MODULE_LINKER_FLAGS_INIT "${CMAKE_EXE_LINKER_FLAGS_INIT}")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CELLROUTE_LIBTORCH)
# Runs the C++ tests (scripts/arm64.mjs).
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L /usr/aarch64-linux-gnu)
