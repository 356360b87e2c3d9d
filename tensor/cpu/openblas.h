// OpenBLAS, opened when it is first needed: loading it costs a third of the start-up of a small program, and
// few use linear algebra.
#pragma once

namespace tapir::cpu {

/// The address of an exported function. Throws Error where the library cannot be loaded or has no such
/// function.
void* openblas_function(const char* name);

}  // namespace tapir::cpu
