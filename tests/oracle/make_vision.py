#!/usr/bin/env python3
"""Writes vision.txt beside this file: values and gradients that PyTorch gives for the cases of test_padding_layers,
test_pixel_shuffle, test_response_norm, test_fold and test_grid_sample. Run with a Python that has torch 1.13 or
later."""
import math
import os

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
out = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "vision.txt"), "w")
out.write("# Written by make_vision.py with PyTorch %s. One row per case: name, values in row-major order.\n"
          % torch.__version__)


def put(name, values):
    out.write("%s %s\n" % (name, " ".join("%.15g" % v for v in values.detach().double().flatten().tolist())))


def wave(sizes, phase):
    """The same numbers in the tests: 0.5 sin(phase + 0.37 i)."""
    return torch.tensor([0.5 * math.sin(phase + 0.37 * i) for i in range(math.prod(sizes))]).reshape(sizes)


def case(name, inputs, f):
    x = [t.clone().requires_grad_() for t in inputs]
    y = f(*x)
    put(name, y)
    for i, g in enumerate(torch.autograd.grad(y, x, wave(y.shape, 9.0))):
        put("%s.grad%d" % (name, i), g)


# --- padding ---
X = [wave((2, 2, 5), 1.0), wave((1, 2, 4, 3), 1.0), wave((1, 1, 3, 4, 3), 1.0)]
for d, x in enumerate(X):
    n = str(d + 1)
    around = (1, 2, 2, 0, 1, 1)[:2 * d + 2]
    for name in ("ReflectionPad", "ReplicationPad"):
        case("%s.%s" % (name, n), [x], getattr(nn, name + n + "d")(around))
        case("%s.one%s" % (name, n), [x], getattr(nn, name + n + "d")(1))
    case("ConstantPad.%s" % n, [x], getattr(nn, "ConstantPad%sd" % n)(around, 1.5))
case("ZeroPad", [X[1]], nn.ZeroPad2d((1, -1, 0, 2)))
case("ReplicationPad.cut", [X[1]], nn.ReplicationPad2d((-1, 2, 1, -2)))

# --- shuffling ---
case("pixel_shuffle", [wave((2, 8, 2, 3), 1.0)], lambda t: F.pixel_shuffle(t, 2))
case("pixel_unshuffle", [wave((2, 2, 6, 3), 1.0)], lambda t: F.pixel_unshuffle(t, 3))
put("channel_shuffle", torch.channel_shuffle(wave((2, 6, 3), 1.0), 3))

# --- response norm ---
for size in (1, 2, 3, 5, 9):
    case("lrn.%d" % size, [wave((2, 6, 4), 1.0)], lambda t: F.local_response_norm(t, size, 0.3, 0.6, 0.8))
case("lrn.plane", [wave((2, 4, 2, 3), 1.0)], lambda t: F.local_response_norm(t, 3))
case("lrn.volume", [wave((1, 4, 2, 2, 2), 1.0)], nn.LocalResponseNorm(2, 0.4, 0.7, 2.0))
# By way of local_response_norm: CrossMapLRN2d of 1.13 leaves channel 0 in the sums of all later ones.
case("cross_map", [wave((2, 6, 2, 3), 1.0)], lambda t: F.local_response_norm(t, 3, 0.3, 0.6, 2))
put("cross_map.even", F.local_response_norm(wave((2, 6, 2, 3), 1.0), 3, 0.3 * 3 / 4, 0.6, 2))

# --- fold ---
image = wave((2, 3, 5, 6), 1.0)
for name, args in (("plain", (2,)), ("all", ((2, 3), (2, 1), (1, 2), (1, 2))), ("stride", (2, 1, 1, 2)), ("wide", (3, 1, 3))):
    case("unfold." + name, [image], lambda t: F.unfold(t, *args))
    columns = wave(F.unfold(image, *args).shape, 2.0)
    case("fold." + name, [columns], lambda t: F.fold(t, (5, 6), *args))

# --- grids ---
theta2, theta3 = wave((2, 2, 3), 1.0), wave((2, 3, 4), 1.0)
for align in (False, True):
    case("affine2.%d" % align, [theta2], lambda t: F.affine_grid(t, (2, 3, 4, 3), align))
    case("affine3.%d" % align, [theta3], lambda t: F.affine_grid(t, (2, 1, 1, 3, 2), align))
plane, volume = wave((2, 3, 4, 5), 1.0), wave((2, 2, 3, 4, 3), 1.0)
grid2, grid3 = wave((2, 3, 4, 2), 3.0) * 4.3, wave((2, 2, 3, 2, 3), 3.0) * 4.3
for align in (False, True):
    for padding in ("zeros", "border", "reflection"):
        for mode in ("bilinear", "nearest", "bicubic"):
            case("grid2.%s.%s.%d" % (mode, padding, align), [plane, grid2],
                 lambda x, g: F.grid_sample(x, g, mode, padding, align))
            if mode != "bicubic":
                case("grid3.%s.%s.%d" % (mode, padding, align), [volume, grid3],
                     lambda x, g: F.grid_sample(x, g, mode, padding, align))
