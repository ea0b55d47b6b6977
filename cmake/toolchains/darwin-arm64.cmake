# zig c++ (scripts/cross.mjs), which has the C and C++ headers of macOS and the list of what libSystem exports.
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(CMAKE_USER_MAKE_RULES_OVERRIDE "${CMAKE_CURRENT_LIST_DIR}/darwin-link.cmake")
# Scripts that start zig with the target.
set(CMAKE_C_COMPILER "${CELLROUTE_ZIG}/cc")
set(CMAKE_CXX_COMPILER "${CELLROUTE_ZIG}/c++")
set(CMAKE_AR "${CELLROUTE_ZIG}/ar" CACHE FILEPATH "")
set(CMAKE_RANLIB "${CELLROUTE_ZIG}/ranlib" CACHE FILEPATH "")
# Checks of CMake compile and do not link, because a first link compiles libc++.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CELLROUTE_ZIG)
# Libraries and headers of this machine must not be found instead of the target's.
set(CMAKE_FIND_ROOT_PATH "${CELLROUTE_LIBTORCH}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
