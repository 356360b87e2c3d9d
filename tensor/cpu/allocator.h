#pragma once

#include "tapir/tensor/allocator.h"

namespace tapir::cpu {

/// The CPU's caching allocator; allocator.cpp says how it works.
Allocator& allocator();

}  // namespace tapir::cpu
