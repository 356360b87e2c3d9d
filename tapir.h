#pragma once

// All of Tapir. Each header can also be included alone.
#include "tapir/autograd/call_site.h"
#include "tapir/autograd/engine.h"
#include "tapir/autograd/functions/compare.h"
#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/random.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/autograd/grad_mode.h"
#include "tapir/config.h"
#include "tapir/io/safetensors.h"
#include "tapir/tensor/allocator.h"
#include "tapir/tensor/generator.h"
#include "tapir/tensor/parallel.h"
#include "tapir/tensor/tensor.h"
