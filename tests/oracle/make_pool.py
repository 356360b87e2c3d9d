#!/usr/bin/env python3
"""Writes pool.txt beside this file: values and gradients that PyTorch gives for the cases of test_pool,
test_interpolate and test_batch_norm. Run with a Python that has torch 1.13 or later."""
import math
import os

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
out = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pool.txt"), "w")
out.write("# Written by make_pool.py with PyTorch %s. One row per case: name, values in row-major order.\n"
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


X1, X2, X3 = wave((2, 2, 11), 1.0), wave((1, 2, 7, 6), 1.0), wave((1, 1, 5, 6, 4), 1.0)
MAX = [F.max_pool1d, F.max_pool2d, F.max_pool3d]
AVG = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d]
ADAPTIVE_AVG = [F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d]
ADAPTIVE_MAX = [F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d]
for d, x in enumerate((X1, X2, X3)):
    n = str(d + 1)
    case("max.plain" + n, [x], lambda t: MAX[d](t, 2))
    case("max.all" + n, [x], lambda t: MAX[d](t, 3, 2, 1, 2 if d < 2 else 1, True))
    put("max.all%s.indices" % n, MAX[d](x, 3, 2, 1, 2 if d < 2 else 1, True, True)[1])
    case("avg.plain" + n, [x], lambda t: AVG[d](t, 2))
    case("avg.all" + n, [x], lambda t: AVG[d](t, 3, 2, 1, True))
    case("avg.inside" + n, [x], lambda t: AVG[d](t, 3, 2, 1, True, False))
    case("adaptive_avg" + n, [x], lambda t: ADAPTIVE_AVG[d](t, 3))
    case("adaptive_avg_more" + n, [x], lambda t: ADAPTIVE_AVG[d](t, 7))
    case("adaptive_max" + n, [x], lambda t: ADAPTIVE_MAX[d](t, 3))
    put("adaptive_max%s.indices" % n, ADAPTIVE_MAX[d](x, 3, True)[1])
case("max.uneven2", [X2], lambda t: F.max_pool2d(t, (2, 3), (1, 2), (1, 0)))
case("avg.divided2", [X2], lambda t: F.avg_pool2d(t, 3, 2, 1, False, True, 5))
case("avg.divided3", [X3], lambda t: F.avg_pool3d(t, 2, 1, 0, False, True, 3))
values, indices = F.max_pool2d(X2, 2, return_indices=True)
case("unpool2", [values], lambda t: F.max_unpool2d(t, indices, 2, output_size=X2.shape))
u2, u3 = wave((1, 2, 2), 4.0) + 0.5, wave((1, 1, 3), 4.0) + 0.5
case("fractional2", [X2], lambda t: F.fractional_max_pool2d(t, (2, 3), (4, 3), _random_samples=u2))
case("fractional3", [X3], lambda t: F.fractional_max_pool3d(t, 2, (3, 4, 2), _random_samples=u3))
case("lp1", [X1 + 1], lambda t: F.lp_pool1d(t, 3, 3, 2))
case("lp2", [X2 + 1], lambda t: F.lp_pool2d(t, 2, (2, 3), ceil_mode=True))

for mode, x in (("linear", X1), ("bilinear", X2), ("bicubic", X2), ("trilinear", X3)):
    for align in (False, True):
        for size in (3, 9):
            case("interpolate.%s.%d.%d" % (mode, align, size), [x],
                 lambda t: F.interpolate(t, size, mode=mode, align_corners=align))
    case("interpolate.%s.factor" % mode, [x], lambda t: F.interpolate(t, scale_factor=1.7, mode=mode, align_corners=False))
    case("interpolate.%s.recomputed" % mode, [x], lambda t: F.interpolate(
        t, scale_factor=1.7, mode=mode, align_corners=False, recompute_scale_factor=True))
for mode in ("nearest", "nearest-exact", "area"):
    for d, x in enumerate((X1, X2, X3)):
        case("interpolate.%s.smaller%d" % (mode, d + 1), [x], lambda t: F.interpolate(t, 3, mode=mode))
        case("interpolate.%s.factor%d" % (mode, d + 1), [x], lambda t: F.interpolate(t, scale_factor=1.6, mode=mode))

for name, x in (("flat", wave((5, 3), 1.0)), ("line", wave((4, 3, 6), 1.0)), ("plane", wave((2, 3, 4, 5), 1.0)),
                ("wide", wave((9, 20), 1.0))):
    c = x.shape[1]
    w, b, m, v = wave((c,), 2.0) + 1, wave((c,), 3.0), wave((c,), 4.0), wave((c,), 5.0) + 1
    case("batch_norm.%s.train" % name, [x, w, b], lambda t, w, b: F.batch_norm(t, None, None, w, b, True))
    case("batch_norm.%s.eval" % name, [x, w, b], lambda t, w, b: F.batch_norm(t, m, v, w, b))
    case("batch_norm.%s.bare" % name, [x], lambda t: F.batch_norm(t, None, None, None, None, True, eps=0.1))
    rm, rv = m.clone(), v.clone()
    F.batch_norm(x, rm, rv, w, b, True, 0.3)
    put("batch_norm.%s.running_mean" % name, rm)
    put("batch_norm.%s.running_var" % name, rv)
x, c = wave((3, 2, 4, 5), 1.0), 2
w, b, m, v = wave((c,), 2.0) + 1, wave((c,), 3.0), wave((c,), 4.0), wave((c,), 5.0) + 1
case("instance_norm.own", [x, w, b], lambda t, w, b: F.instance_norm(t, None, None, w, b))
case("instance_norm.running", [x, w, b], lambda t, w, b: F.instance_norm(t, m, v, w, b, use_input_stats=False))
rm, rv = m.clone(), v.clone()
F.instance_norm(x, rm, rv, w, b, True, 0.3)
put("instance_norm.running_mean", rm)
put("instance_norm.running_var", rv)
layer = nn.BatchNorm2d(2, momentum=None)
for k in range(3):
    layer(wave((3, 2, 4, 5), float(k)))
put("cumulative.mean", layer.running_mean)
put("cumulative.var", layer.running_var)
