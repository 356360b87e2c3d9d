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
#include "tapir/config.h"
#include "tapir/tensor/tensor.h"
