#!/usr/bin/env python3
"""Writes conv.txt beside this file: values and gradients that PyTorch gives for the cases of test_conv. Run with a
Python that has torch 1.13 or later."""
import math
import os

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
out = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "conv.txt"), "w")
out.write("# Written by make_conv.py with PyTorch %s. One row per case: name, values in row-major order.\n"
          % torch.__version__)


def put(name, values):
    out.write("%s %s\n" % (name, " ".join("%.17g" % v for v in values.detach().flatten().tolist())))


def wave(sizes, phase):
    """The same numbers in the tests: 0.5 sin(phase + 0.37 i)."""
    return torch.tensor([0.5 * math.sin(phase + 0.37 * i) for i in range(math.prod(sizes))]).reshape(sizes)


def case(name, inputs, f):
    x = [t.clone().requires_grad_() for t in inputs]
    y = f(*x)
    put(name, y)
    for i, g in enumerate(torch.autograd.grad(y, x, wave(y.shape, 9.0))):
        put("%s.grad%d" % (name, i), g)


# name, input, weight, stride, padding, dilation, groups: the dimension from the input
CONVOLUTIONS = [
    ("plain1", (2, 3, 9), (4, 3, 3), 1, 0, 1, 1),
    ("all1", (2, 4, 11), (6, 2, 3), 2, 2, 2, 2),
    ("plain2", (2, 3, 7, 6), (4, 3, 3, 3), 1, 0, 1, 1),
    ("pointwise2", (2, 3, 5, 4), (4, 3, 1, 1), 1, 0, 1, 1),
    ("strided_pointwise2", (2, 3, 5, 4), (4, 3, 1, 1), 2, 0, 1, 1),
    ("all2", (3, 4, 9, 8), (6, 2, 3, 2), (2, 1), (1, 2), (1, 2), 2),
    ("depthwise2", (2, 4, 6, 7), (8, 1, 3, 3), 1, 1, 1, 4),
    ("wide_padding2", (1, 2, 3, 3), (2, 2, 2, 2), 3, 3, 1, 1),
    ("plain3", (2, 2, 4, 5, 4), (3, 2, 2, 3, 2), 1, 0, 1, 1),
    ("all3", (1, 4, 5, 6, 5), (4, 2, 2, 3, 2), (1, 2, 1), (1, 0, 1), (2, 1, 1), 2),
]
for name, x, w, stride, padding, dilation, groups in CONVOLUTIONS:
    d = len(x) - 2
    case("conv." + name, [wave(x, 1.0), wave(w, 2.0), wave(w[:1], 3.0)],
         lambda a, b, c: [F.conv1d, F.conv2d, F.conv3d][d - 1](a, b, c, stride, padding, dilation, groups))

# name, input, weight, stride, padding, output_padding, groups, dilation
TRANSPOSED = [
    ("plain1", (2, 3, 5), (3, 4, 3), 1, 0, 0, 1, 1),
    ("all1", (2, 4, 5), (4, 3, 3), 3, 1, 2, 2, 2),
    ("plain2", (2, 3, 4, 3), (3, 2, 3, 3), 1, 0, 0, 1, 1),
    ("all2", (2, 4, 4, 3), (4, 3, 3, 2), (2, 3), (1, 0), (1, 2), 2, (1, 2)),
    ("dilated_more2", (1, 2, 3, 3), (2, 2, 2, 2), 1, 0, 1, 1, 2),
    ("plain3", (1, 2, 3, 2, 3), (2, 2, 2, 3, 2), 2, 1, 1, 1, 1),
]
for name, x, w, stride, padding, more, groups, dilation in TRANSPOSED:
    d = len(x) - 2
    case("transposed." + name, [wave(x, 1.0), wave(w, 2.0), wave((w[1] * groups,), 3.0)],
         lambda a, b, c: [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][d - 1](
             a, b, c, stride, padding, more, groups, dilation))

for padding in ("same", "valid"):
    case("named1." + padding, [wave((2, 2, 7), 1.0), wave((3, 2, 4), 2.0)],
         lambda a, b: F.conv1d(a, b, None, 1, padding, 1))
    case("named2." + padding, [wave((2, 2, 5, 6), 1.0), wave((3, 2, 4, 3), 2.0)],
         lambda a, b: F.conv2d(a, b, None, 1, padding, (1, 2)))

for mode in ("zeros", "reflect", "replicate", "circular"):
    for padding in ((2, 1), "same"):
        layer = nn.Conv2d(2, 3, (3, 4), padding=padding, padding_mode=mode)
        for k, p in enumerate(layer.parameters()):
            p.data = wave(p.shape, 0.7 * k)
        case("layer.%s.%s" % (mode, "same" if padding == "same" else "numbers"), [wave((2, 2, 6, 5), 1.0)], layer)

# The first weights of each layer for a seed, in float32.
torch.set_default_dtype(torch.float32)
for name, layer in (("Conv1d", lambda: nn.Conv1d(3, 4, 3)), ("Conv2d", lambda: nn.Conv2d(4, 6, (3, 2), groups=2)),
                    ("Conv3d", lambda: nn.Conv3d(2, 3, 2)), ("ConvTranspose2d", lambda: nn.ConvTranspose2d(4, 6, 3, groups=2))):
    torch.manual_seed(7)
    layer = layer()
    put("start." + name, torch.cat([layer.weight.flatten(), layer.bias]))
