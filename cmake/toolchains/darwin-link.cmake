# Read after CMake's own settings for macOS. CMake asks sw_vers for the version of macOS; where there is none, it assumes a system without
# @rpath.
set(CMAKE_SHARED_LIBRARY_RUNTIME_C_FLAG "-Wl,-rpath,")
# zig 0.15 crashes on -bundle. dlopen loads a dynamic library as well.
set(CMAKE_SHARED_MODULE_CREATE_C_FLAGS "-shared")
set(CMAKE_SHARED_MODULE_CREATE_CXX_FLAGS "-shared")
