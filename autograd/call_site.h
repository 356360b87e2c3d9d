// Which line of the user's program recorded a node: looked up from a return address only when an error is
// printed.
#pragma once

#include <string>

#include "tapir/tensor/macros.h"

namespace tapir {

/// "model.cpp:42 (Net::forward(...))" where the program has debug information (-g), else "Net::forward(...)"
/// or "program+0x1234"; "" for a null address.
TAPIR_API std::string describe_call_site(const void* return_address);

}  // namespace tapir
