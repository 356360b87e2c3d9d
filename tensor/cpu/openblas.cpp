#include "tapir/tensor/cpu/openblas.h"

#include <dlfcn.h>

#include "tapir/tensor/error_format.h"

namespace tapir::cpu {
namespace {

// The one that Tapir was built with; where it has moved, the one that the loader finds. Stays open.
void* openblas() {
  static void* const library = [] {
    void* found = ::dlopen(TAPIR_OPENBLAS_FOLDER "/" TAPIR_OPENBLAS_NAME, RTLD_NOW | RTLD_LOCAL);
    return found ? found : ::dlopen(TAPIR_OPENBLAS_NAME, RTLD_NOW | RTLD_LOCAL);
  }();
  if (!library) {
    const char* why = ::dlerror();
    throw_error<Error>(
        "linalg: LAPACK comes from OpenBLAS, and {} cannot be loaded{}{}; install it (Debian, Ubuntu: "
        "apt-get install "
        "libopenblas0-openmp) or add its folder to LD_LIBRARY_PATH",
        TAPIR_OPENBLAS_NAME, why ? ": " : "", why ? why : "");
  }
  return library;
}

}  // namespace

void* openblas_function(const char* name) {
  void* const function = ::dlsym(openblas(), name);
  if (!function) throw_error<Error>("linalg: {} has no function {}", TAPIR_OPENBLAS_NAME, name);
  return function;
}

}  // namespace tapir::cpu
