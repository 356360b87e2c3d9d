// Everything for reading data: datasets, samplers, transforms, loaders.
#pragma once

#include "tapir/data/collate.h"
#include "tapir/data/dataloader.h"
#include "tapir/data/dataset.h"
#include "tapir/data/datasets/mnist.h"
#include "tapir/data/datasets/text_lines.h"
#include "tapir/data/example.h"
#include "tapir/data/sampler.h"
#include "tapir/data/transform.h"
