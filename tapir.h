#pragma once

// All of Tapir. Each header can also be included alone.
#include "tapir/config.h"
#include "tapir/tensor/tensor.h"
