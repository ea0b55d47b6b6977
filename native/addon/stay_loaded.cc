#include "addon/register.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include "error.h"

namespace cellroute::addon {

void stay_loaded() {
#ifdef _WIN32
  HMODULE library = nullptr;
  const bool stays =
      GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                         reinterpret_cast<LPCSTR>(&stay_loaded), &library) != 0;
#else
  Dl_info library;
  const bool stays = dladdr(reinterpret_cast<const void*>(&stay_loaded), &library) != 0 &&
                     dlopen(library.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE) != nullptr;
#endif
  if (!stays) throw Error("NATIVE_FAILURE", "The addon cannot be kept in memory");
}

}  // namespace cellroute::addon
