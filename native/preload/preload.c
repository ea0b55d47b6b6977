// Opens LibTorch's libraries by absolute path before the addon that needs them is loaded, and
// returns LibTorch's version. Links nothing of LibTorch: it must load where LibTorch is absent.
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <torch/headeronly/version.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#define PATH_LIMIT 4096

static napi_value fail(napi_env env, const char* message) {
  napi_throw_error(env, "LIBTORCH_NOT_FOUND", message);
  return NULL;
}

#ifdef _WIN32
static void* open_library(const char* path, char* reason, size_t size) {
  wchar_t wide[PATH_LIMIT];
  if (MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, PATH_LIMIT) == 0) {
    snprintf(reason, size, "the path is not valid UTF-8 or too long");
    return NULL;
  }
  // Dependencies are searched in the library's own folder.
  HMODULE handle = LoadLibraryExW(
      wide, NULL, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
  if (!handle) snprintf(reason, size, "LoadLibraryEx failed with error %lu", GetLastError());
  return (void*)handle;
}

static void* find_symbol(void* library, const char* name) {
  return (void*)GetProcAddress((HMODULE)library, name);
}
#else
#ifdef __linux__
// How often a waiting thread of GNU OpenMP looks for work before it sleeps: about 20 microseconds.
// libgomp's default is 300,000 (milliseconds). On a machine with other work, each thread then spins
// through the time slices that the thread it waits for needs. 1,000 is libgomp's own value for more
// threads than processors.
#define SPIN_COUNT "1000"

static bool is_libgomp(const char* path) {
  const char* name = strrchr(path, '/');
  return strncmp(name ? name + 1 : path, "libgomp", strlen("libgomp")) == 0;
}

// libgomp reads its settings when it is opened. Nothing is set if the process has chosen, and
// nothing stays set: child processes inherit the environment.
// NOLINTBEGIN(concurrency-mt-unsafe)
static void* open_with_bounded_spin(const char* path) {
  const bool chosen = getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT");
  if (!chosen) setenv("GOMP_SPINCOUNT", SPIN_COUNT, 0);
  void* handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  if (!chosen) unsetenv("GOMP_SPINCOUNT");
  return handle;
}
// NOLINTEND(concurrency-mt-unsafe)
#endif

static void* open_unix_library(const char* path) {
#ifdef __linux__
  if (is_libgomp(path)) return open_with_bounded_spin(path);
#endif
  return dlopen(path, RTLD_NOW | RTLD_GLOBAL);
}

static void* open_library(const char* path, char* reason, size_t size) {
  void* handle = open_unix_library(path);
  // dlerror() is per thread in glibc and on macOS.
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  if (!handle) snprintf(reason, size, "%s", dlerror());
  return handle;
}

static void* find_symbol(void* library, const char* name) { return dlsym(library, name); }
#endif

// open(path: string): bigint | undefined
// Opens a library for the lifetime of the process. Returns its aoti_torch_abi_version(), if it has
// one.
static napi_value open_path(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argument;
  char path[PATH_LIMIT];
  size_t length = 0;
  napi_get_cb_info(env, info, &argc, &argument, NULL, NULL);
  if (argc != 1 ||
      napi_get_value_string_utf8(env, argument, path, sizeof path, &length) != napi_ok ||
      length + 1 >= sizeof path) {
    return fail(env, "open: expected a path of fewer than 4095 bytes");
  }
  char reason[1024];
  void* library = open_library(path, reason, sizeof reason);
  if (!library) return fail(env, reason);

  napi_value result;
  uint64_t (*abi_version)(void) =
      (uint64_t (*)(void))find_symbol(library, "aoti_torch_abi_version");
  if (abi_version) {
    napi_create_bigint_uint64(env, abi_version(), &result);
  } else {
    napi_get_undefined(env, &result);
  }
  return result;
}

NAPI_MODULE_INIT() {
  napi_value function, version, abi;
  napi_create_function(env, "open", NAPI_AUTO_LENGTH, open_path, NULL, &function);
  napi_set_named_property(env, exports, "open", function);
  // The version against which the addon beside this stub was compiled.
  napi_create_string_utf8(env, TORCH_VERSION, NAPI_AUTO_LENGTH, &version);
  napi_set_named_property(env, exports, "builtForVersion", version);
  napi_create_bigint_uint64(env, TORCH_ABI_VERSION, &abi);
  napi_set_named_property(env, exports, "builtForAbi", abi);
  return exports;
}
