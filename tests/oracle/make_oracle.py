#!/usr/bin/env python3
"""Writes the tables that the tests compare Tapir with: inputs, values and gradients as PyTorch computes them.

Run with PyTorch 1.13 (Debian 12: python3-torch):  /usr/bin/python3 tests/oracle/make_oracle.py
The tables are committed; this needs running only when an op is added. Format (read by tests/support/oracle.h):

  def NAME TENSOR          a tensor that later lines name as @NAME
  case OP [KEY=VALUE ...]  one call; its lines follow, in the order of the arguments and results
  in TENSOR                an argument            out TENSOR   a result
  gout TENSOR              the gradient given for the result above it
  gin I TENSOR             the gradient of argument I

TENSOR is: dtype, sizes as 2x3 (- for none), values in row-major order.
"""
import math
import os
import sys
from functools import partial

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
INTS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
ALL = INTS + FLOATS + [torch.bool]
HALVES = (torch.float16, torch.bfloat16)


def number(v, dtype):
    if dtype == torch.bool or not dtype.is_floating_point:
        return str(int(v))
    if math.isnan(v):
        return "nan"
    if math.isinf(v):
        return "inf" if v > 0 else "-inf"
    digits = {torch.float64: 17, torch.float32: 9, torch.float16: 5, torch.bfloat16: 4}[dtype]
    short = "%.*g" % (digits, v)
    for d in range(1, digits):  # the shortest that reads back as the same number
        text = "%.*g" % (d, v)
        if torch.tensor(float(text), dtype=dtype).item() == v:
            short = text
            break
    return short.replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


def name(dtype):
    return str(dtype).split(".")[1]


def text(t):
    t = t.detach().contiguous()
    sizes = "x".join(map(str, t.shape)) or "-"
    return " ".join([name(t.dtype), sizes] + [number(v, t.dtype) for v in t.reshape(-1).tolist()])


class Table:
    def __init__(self, file):
        self.file, self.lines, self.defs, self.gradients = file, [], {}, {}

    def define(self, key, t):
        self.defs[key] = text(t)
        self.lines.append("def %s %s" % (key, self.defs[key]))

    def tensor(self, t):
        line = text(t)
        for key, known in self.defs.items():
            if known == line:
                return "@" + key
        return line

    def gradient_of(self, r):
        """A random gradient for r, the same for all results of its sizes and dtype."""
        key = (tuple(r.shape), r.dtype)
        if key not in self.gradients:
            g = torch.randint(-8, 9, r.shape).to(r.dtype) / 4
            self.define("g%d" % len(self.gradients), g)
            self.gradients[key] = g
        return self.gradients[key]

    def case(self, op, inputs, run, grad=True, through_float=False, **attributes):
        """run(*inputs) -> tensor or tuple. Gradients for floating inputs, with a random gradient of each result."""
        wrt = [i for i, x in enumerate(inputs) if grad and x.dtype in (torch.float32, torch.float64)]
        args = [x.detach().clone().requires_grad_(i in wrt) for i, x in enumerate(inputs)]
        try:
            if through_float and any(a.dtype in HALVES for a in args):
                raise RuntimeError("not implemented for half types without rounding in between")
            results = run(*args)
        except RuntimeError as e:
            if "not implemented for" not in str(e):
                raise
            # Half types that PyTorch's CPU lacks: computed in float32 and rounded once.
            results = run(*[a.float() if a.dtype in HALVES else a for a in args])
            half = next(a.dtype for a in args if a.dtype in HALVES)
            results = results if isinstance(results, (tuple, list)) else [results]
            results = [r.to(half) if r.dtype == torch.float32 else r for r in results]
        results = list(results) if isinstance(results, (tuple, list)) else [results]
        for r in results:
            if r.requires_grad and r.dtype in (torch.float32, torch.float64):
                self.gradient_of(r)
        self.lines.append(" ".join(["case", op] + ["%s=%s" % (k, v) for k, v in attributes.items()]))
        self.lines += ["in " + self.tensor(x) for x in inputs]
        roots, gouts = [], []
        for r in results:
            self.lines.append("out " + self.tensor(r))
            if r.requires_grad and r.dtype in (torch.float32, torch.float64):
                g = self.gradient_of(r)
                self.lines.append("gout " + self.tensor(g))
                roots.append(r)
                gouts.append(g)
        if roots:
            grads = torch.autograd.grad(roots, [args[i] for i in wrt], gouts, allow_unused=True)
            self.lines += ["gin %d %s" % (i, self.tensor(g)) for i, g in zip(wrt, grads) if g is not None]

    def write(self):
        path = os.path.join(HERE, self.file + ".txt")
        with open(path, "w") as f:
            f.write("\n".join(self.lines) + "\n")
        print("%8d %s" % (os.path.getsize(path), path))


# --- programs of tests/test_inplace.cpp and test_views.cpp, one function each, under the same names ---


def graph_programs():
    table = Table("graph")
    torch.manual_seed(1)

    def leaf(*sizes):
        return (torch.randint(-12, 13, sizes).double() / 8).requires_grad_()

    a0, w0, g0 = leaf(3, 4), leaf(4), leaf(3, 4).detach()
    table.define("a", a0)
    table.define("w", w0)
    table.define("g", g0)

    def program(f):
        a, w = a0.detach().clone().requires_grad_(), w0.detach().clone().requires_grad_()
        out = f(a, w)
        out.backward(g0.reshape(-1)[: out.numel()].reshape(out.shape))
        table.define(f.__name__ + ".out", out)
        for key, leaf_ in (("a", a), ("w", w)):
            grad = leaf_.grad if leaf_.grad is not None else torch.zeros_like(leaf_)
            table.define(f.__name__ + ".grad_" + key, grad)

    @program
    def rows_and_columns(a, w):
        b = a.clone()
        b[1].mul_(w)
        b.t()[0].add_(w[0])
        return b * b

    @program
    def view_of_view(a, w):
        x = a * 2
        y = x.view(2, 6)
        z = y[:, 1:5:2]
        z.sin_()
        z.t().mul_(w.view(2, 2))
        return x * y.view(3, 4)

    @program
    def base_after_view(a, w):
        b = a * w
        v = b.view(-1)[2:9]
        b.mul_(w)
        return v * v

    @program
    def both_in_turn(a, w):
        b = a * 1
        v = b[1:]
        v.mul_(w)
        b.add_(w)
        u = v[0]
        u.sin_()
        b[2].copy_(u + v[0])
        return v * b[0]

    @program
    def filled_buffer(a, w):
        buf = torch.zeros(3, 4, dtype=torch.float64)
        h = w * 1
        for t in range(3):
            h = (h * a[t]).tanh()
            buf[t].copy_(h)
        buf.mul_(a)
        return buf

    @program
    def in_place_chain(a, w):
        b = a.clone()
        b.add_(w, alpha=3)
        b.sub_(a, alpha=2)
        b.clamp_(-1.5, 1.25)
        b.div_(w.square().add_(1))
        b.cos_()
        b.pow_(3)
        b.masked_fill_(a > 1, 0.5)
        b.addcmul_(a, w, value=0.5)
        return b

    @program
    def zero_and_fill(a, w):
        b = a * w
        b[0].zero_()
        b[:, 2].fill_(4)
        b[2, 1:] = w[:3]
        return b * a

    @program
    def overlapping_windows(a, w):
        return (a * w).as_strided((3, 4), (2, 1), 1).mul(a)

    @program
    def strided_in_place(a, w):
        b = a * 1
        v = b.as_strided((2, 2), (4, 2), 1)
        v.mul_(w[:2])
        return b

    @program
    def compared_in_place(a, w):
        b = a * w
        b[0].gt_(w[1])
        return b * a

    @program
    def expanded(a, w):
        b = w.expand(3, 4) * a
        c = w.view(4, 1).expand(4, 3).t()
        return b * c

    @program
    def squeezed_and_permuted(a, w):
        b = a.view(3, 1, 2, 2).permute(2, 0, 3, 1).squeeze()
        return (b * w.view(2, 1, 2)).transpose(0, 1).reshape(3, 4).flatten()

    @program
    def doubled_in_place(a, w):
        b = a * w
        b.add_(b)
        b[0].add_(b[1])
        return b

    table.write()


# --- the ops: each case is one row's call (tests/support/ops_table.cpp) ---


def specials(dtype):
    """Values at which formulas break, and some plain ones."""
    if dtype == torch.bool:
        return torch.tensor([True, False, True])
    if not dtype.is_floating_point:
        info = torch.iinfo(dtype)
        plain = [0, 1, 2, 3, 7, 11, 50, 100, info.max, info.max - 1, info.min, info.min + 1]
        return torch.tensor(plain + ([-1, -2, -3, -8, -50] if info.min < 0 else []), dtype=dtype)
    info = torch.finfo(dtype)
    v = [0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 3.5, 0.1, -0.3, math.pi, -10, 20, 88, -88, 104, 710, -746]
    v += [math.inf, -math.inf, math.nan, info.max, -info.max, info.tiny, -info.tiny, info.tiny / 4, info.eps, 1e-4]
    v += [-1e-3, 3e4, -6e4, 0.9999, 1.0001, -0.9999]
    return torch.cat([torch.tensor(v, dtype=torch.float64), torch.randn(8, dtype=torch.float64) * 2]).to(dtype)


def pairs(dtype):
    """Every pair of a few values."""
    if dtype == torch.bool:
        v = torch.tensor([True, False])
    elif not dtype.is_floating_point:
        info = torch.iinfo(dtype)
        v = torch.tensor([0, 1, 2, 3, 5, info.max, info.min] + ([-1, -3] if info.min < 0 else []), dtype=dtype)
    else:
        info = torch.finfo(dtype)
        v = [0.0, -0.0, 1, -1, 0.5, -2.5, 3, math.inf, -math.inf, math.nan, info.tiny, info.max]
        v = torch.tensor(v, dtype=torch.float64).to(dtype)
    return v.repeat_interleave(len(v)), v.repeat(len(v))


def defined(table, what, make):
    for d in ALL:
        made = make(d)
        for i, t in enumerate(made if isinstance(made, tuple) else (made,)):
            table.define("%s%d.%s" % (what, i, name(d)), t)
            table.inputs.setdefault((what, d), []).append(t)


UNARY = "abs sign square exp expm1 log log1p sqrt rsqrt reciprocal sin cos tanh sigmoid erf relu neg".split()
ROUNDING = "floor ceil round trunc".split()
PREDICATES = "isnan isinf isfinite logical_not".split()
BINARY = "add sub mul div maximum minimum eq ne lt le gt ge logical_and logical_or pow".split()


def pointwise():
    table = Table("pointwise")
    torch.manual_seed(2)
    table.inputs = {}
    defined(table, "x", specials)
    defined(table, "p", pairs)
    for op in UNARY + ROUNDING + PREDICATES:
        f = getattr(torch, op)
        for d in ALL:
            if d == torch.bool and op in ("neg", "relu", "sign", "abs", "square") + tuple(ROUNDING):
                continue  # not defined, or not worth it
            if op in ROUNDING and not d.is_floating_point and op != "trunc":
                continue  # integers are what they are: PyTorch 1.13 lacks some of them
            x = table.inputs["x", d]
            if op == "log1p" and d.is_floating_point:  # SLEEF's overflows near the largest number
                x = [torch.where(x[0] == torch.finfo(d).max, torch.ones_like(x[0]) * 3e4, x[0])]
            table.case(op, x, f)
    for op in BINARY:
        f = getattr(torch, op)
        for d in ALL:
            if d == torch.bool and op in ("sub", "pow", "div", "maximum", "minimum"):
                continue
            a, b = table.inputs["p", d]
            if op == "pow" and d == torch.float64:  # SLEEF's overflows at the largest number to the power 1
                keep = ~((a == torch.finfo(d).max) & (b == 1))
                a, b = a[keep], b[keep]
            if op == "pow" and not d.is_floating_point:
                a, b = a[(b >= 0) & (b < 6)], b[(b >= 0) & (b < 6)]
            table.case(op, [a, b], f)
    # with a number
    for d in (torch.float32, torch.float64, torch.float16, torch.int32, torch.uint8):
        x = table.inputs["x", d][0]
        for op in ("add", "sub", "mul", "div", "eq", "lt", "ge"):
            f = getattr(torch, op)
            for s in (3, 0, 2.5):
                table.case(op + "_number", [x], lambda t, f=f, s=s: f(t, s), s=s)
        for s in (0, 1, 2, 3) + ((-1, -2, 0.5, -0.5, 2.5) if d.is_floating_point else ()):
            table.case("pow_number", [x], lambda t, s=s: torch.pow(t, s), s=s, through_float=True)
        table.case("add_alpha", [x, x.flip(0)], lambda a, b: torch.add(a, b, alpha=3), alpha=3, through_float=True)
        table.case("sub_alpha", [x, x.flip(0)], lambda a, b: torch.sub(a, b, alpha=2), alpha=2, through_float=True)
        table.case("clamp", [x], lambda t: torch.clamp(t, 1, 3), lo=1, hi=3)
        table.case("clamp", [x], lambda t: torch.clamp(t, min=2), lo=2)
        table.case("clamp", [x], lambda t: torch.clamp(t, max=2), hi=2)
        if d.is_floating_point:
            y, z = x.flip(0), x.roll(5)
            for w in (0.25, 0.75, 1.0):
                table.case("lerp", [x, y], lambda a, b, w=w: torch.lerp(a, b, w), w=w)
            table.case("addcmul", [x, y, z], lambda a, b, c: torch.addcmul(a, b, c, value=0.5), v=0.5)
            table.case("addcdiv", [x, y, z], lambda a, b, c: torch.addcdiv(a, b, c, value=-0.5), v=-0.5)
    for d in ALL:
        x = table.inputs["x", d][0]
        c = torch.arange(len(x)) % 3 == 0
        table.case("where", [c, x, x.flip(0)], torch.where)
        if d.is_floating_point:
            table.case("masked_fill", [x, c], lambda x, m: x.masked_fill(m, -2.5), v=-2.5)
    x32, x64 = table.inputs["x", torch.float32][0], table.inputs["x", torch.float64][0]
    for x in (x32, x64):
        g = x.flip(0)
        table.case("tanh_backward", [g, x.tanh()], lambda g, y: torch.ops.aten.tanh_backward(g, y))
        table.case("sigmoid_backward", [g, x.sigmoid()], lambda g, y: torch.ops.aten.sigmoid_backward(g, y))
        table.case("relu_backward", [g, x.relu()], lambda g, y: torch.ops.aten.threshold_backward(g, y, 0))
        table.case("clamp_backward", [g, x], lambda g, x: torch.where((x >= 1) & (x <= 3), g, torch.zeros_like(g)),
                   lo=1, hi=3)
    # broadcasting, and what comes of two dtypes
    a, b = torch.randn(3, 1, 2, dtype=torch.float64), torch.randn(4, 1, dtype=torch.float64).exp()
    for op in ("add", "sub", "mul", "div", "maximum", "pow"):
        table.case(op, [a.abs() if op == "pow" else a, b], getattr(torch, op))
    table.case("where", [torch.tensor([[True], [False]]), torch.randn(3, dtype=torch.float64),
                         torch.randn(4, 1, 1, dtype=torch.float64)], torch.where)
    for d in ALL:
        for e in ALL:
            u, v = torch.tensor([1, 0, 1], dtype=d), torch.tensor([1, 1, 0], dtype=e)
            for op in ("mul", "add", "le"):
                table.case(op, [u, v], getattr(torch, op), grad=False)
                table.case(op, [u, v[0]], getattr(torch, op), grad=False)
            table.case("div", [u, v[:2].repeat(2)[1:]], torch.div, grad=False)
    table.write()


def reductions():
    table = Table("reduce")
    torch.manual_seed(3)

    def draw(d, *sizes):
        if d == torch.bool:
            return torch.rand(sizes) < 0.7
        if not d.is_floating_point:
            return torch.randint(0, 7, sizes).to(d)
        return torch.randn(sizes, dtype=torch.float64).to(d)

    for d in ALL:
        x = draw(d, 3, 4, 2)
        table.define("x." + name(d), x)
        for dims in (None, (0,), (1,), (2,), (-1, 0), (0, 1, 2)):
            for keep in ((False, True) if dims else (False,)):
                attributes = {"keep": int(keep)}
                if dims:
                    attributes["dim"] = ",".join(map(str, dims))
                k = dict(dim=dims, keepdim=keep) if dims else {}
                table.case("sum", [x], lambda t: torch.sum(t, **k), **attributes)
                if d.is_floating_point:
                    table.case("mean", [x], lambda t: torch.mean(t, **k), **attributes)
                    if dims:
                        table.case("logsumexp", [x], lambda t: torch.logsumexp(t, **k), **attributes)
                    if d not in HALVES:
                        table.case("norm", [x], lambda t: torch.norm(t, p=2, **k), **attributes)
                if dims is None or len(dims) == 1:
                    k1 = dict(dim=dims[0], keepdim=keep) if dims else {}
                    for op in ("all", "any"):
                        table.case(op, [x], lambda t: getattr(torch, op)(t, **k1), **attributes)
                    if d != torch.bool:
                        for op in ("argmax", "argmin"):
                            table.case(op, [x], lambda t: getattr(torch, op)(t, **k1), **attributes)
                        for op in ("max", "min"):
                            table.case(op, [x], lambda t: getattr(torch, op)(t, **k1), **attributes)
    for d in (torch.float32, torch.float64):
        odd = torch.tensor([[1, math.inf, 2], [-math.inf, -math.inf, -math.inf], [math.nan, 1, math.inf], [0.5, 0.5, -3],
                            [800, 801, 3], [-900, -1000, -1001]], dtype=torch.float64).to(d)
        x = draw(d, 2, 3, 4)
        for t, dims in ((odd, (0, 1)), (x, (0, 1, -1)), (x[0, 0, 0], (0,)), (draw(d, 1, 5), (0, 1)), (draw(d, 0, 3), (0, 1))):
            for dim in dims:
                table.case("softmax", [t], lambda v: torch.softmax(v, dim), dim=dim)
                table.case("log_softmax", [t], lambda v: torch.log_softmax(v, dim), dim=dim)
                if t.dim():
                    table.case("logsumexp", [t], lambda v: torch.logsumexp(v, dim), dim=dim, keep=0)
                    table.case("sum", [t], lambda v: torch.sum(v, dim), dim=dim, keep=0)
        for op in ("max", "min"):
            table.case(op, [odd], lambda t: getattr(torch, op)(t, dim=1), dim=1, keep=0)
            table.case(op, [torch.ones(4, dtype=d)], lambda t: getattr(torch, op)(t), keep=0)  # ties share
        table.case("sum", [draw(d, 0)], torch.sum, keep=0)
        table.case("mean", [draw(d, 2, 0)], lambda t: torch.mean(t, 0), dim=0, keep=0)
        table.case("norm", [torch.zeros(3, dtype=d)], torch.norm, keep=0)
        long = draw(d, 3, 1000)
        table.case("sum", [long], lambda t: torch.sum(t, 1), dim=1, keep=0)
    table.write()


def products():
    table = Table("matmul")
    torch.manual_seed(4)
    for d in (torch.float32, torch.float64):
        r = lambda *sizes: torch.randn(sizes, dtype=torch.float64).to(d)
        shapes = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3,)), ((3,), (5, 3, 2)),
                  ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 1)),
                  ((2, 1, 2, 3), (4, 3, 2)), ((2, 4, 1, 3), (2, 1, 3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3)),
                  ((3, 2, 0), (3, 0, 2)), ((1, 1), (1, 1)), ((17, 9), (9, 5))]
        for a, b in shapes:
            table.case("matmul", [r(*a), r(*b)], torch.matmul)
        table.case("mm", [r(3, 4), r(4, 2)], torch.mm)
        table.case("bmm", [r(3, 2, 4), r(3, 4, 2)], torch.bmm)
        table.case("mv", [r(3, 4), r(4)], torch.mv)
        table.case("dot", [r(5), r(5)], torch.dot)
        for c in ((3, 2), (2,), (3, 1), ()):
            for alpha, beta in ((1, 1), (0.5, -2), (2, 0)):
                table.case("addmm", [r(*c), r(3, 4), r(4, 2)],
                           lambda c, a, b: torch.addmm(c, a, b, alpha=alpha, beta=beta), alpha=alpha, beta=beta)
        linear = torch.nn.functional.linear
        for x, w in (((5, 3), (4, 3)), ((3,), (4, 3)), ((2, 5, 3), (4, 3)), ((0, 3), (4, 3))):
            table.case("linear", [r(*x), r(*w)], linear)
            table.case("linear", [r(*x), r(*w), r(4)], linear)
    table.write()


def indexing():
    table = Table("index")
    torch.manual_seed(5)
    for d in (torch.float32, torch.float64, torch.int64, torch.bool, torch.bfloat16):
        r = lambda *sizes: (torch.randn(sizes, dtype=torch.float64) * 4).to(d)
        for dim in (0, 1, -1):
            a = [3, 4, 2]
            b = list(a)
            b[dim] = 5
            table.case("cat", [r(*a), r(*b), r(*a)], lambda *t: torch.cat(t, dim), dim=dim)
            table.case("stack", [r(3, 2), r(3, 2)], lambda *t: torch.stack(t, dim), dim=dim)
            i = torch.tensor([1, 0, 1, 1])
            table.case("index_select", [r(2, 3, 2), i], lambda x, i: torch.index_select(x, dim, i), dim=dim)
            g = torch.randint(0, 2, (2, 3, 2))
            table.case("gather", [r(2, 3, 2), g], lambda x, i: torch.gather(x, dim, i), dim=dim)
            if d != torch.bool and d.is_floating_point:
                table.case("scatter_add", [r(2, 3, 2), g, r(2, 3, 2)],
                           lambda x, i, s: torch.scatter_add(x, dim, i, s), dim=dim)
        table.case("cat", [r(0), r(2, 3)], lambda *t: torch.cat(t, 0), dim=0)
        table.case("repeat", [r(2, 3)], lambda x: x.repeat(2, 1, 2), repeats="2,1,2")
    for d in (torch.float32, torch.float64):
        w = torch.randn(5, 3, dtype=torch.float64).to(d)
        for sizes in ((4,), (2, 3), (), (0,)):
            i = torch.randint(0, 5, sizes)
            table.case("embedding", [w, i], lambda w, i: torch.nn.functional.embedding(i, w))
            table.case("embedding", [w, i], lambda w, i: torch.nn.functional.embedding(i, w, padding_idx=2), pad=2)
    for a, b in ((torch.float32, torch.float64), (torch.int64, torch.float16), (torch.bool, torch.uint8)):
        table.case("cat", [torch.ones(2, dtype=a), torch.zeros(1, dtype=b)], lambda *t: torch.cat(t), grad=False, dim=0)
    table.write()


def losses():
    table = Table("loss")
    torch.manual_seed(6)
    F = torch.nn.functional
    reductions = ("none", "mean", "sum")
    for d in (torch.float32, torch.float64):
        r = lambda *sizes: torch.randn(sizes, dtype=torch.float64).to(d)
        for sizes, target in (((4,), ()), ((3, 4), (3,)), ((2, 4, 3), (2, 3)), ((0, 4), (0,))):
            x, t, w = r(*sizes), torch.randint(0, 4, target), torch.rand(4, dtype=torch.float64).to(d) + 0.5
            for k, how in enumerate(reductions):
                table.case("nll_loss", [x.log_softmax(0 if x.dim() == 1 else 1), t],
                           lambda x, t: F.nll_loss(x, t, reduction=how), reduction=k)
                for smooth in (0.0, 0.1):
                    table.case("cross_entropy", [x, t],
                               lambda x, t: F.cross_entropy(x, t, reduction=how, label_smoothing=smooth),
                               reduction=k, smooth=smooth)
                    table.case("cross_entropy_weight", [x, t, w],
                               lambda x, t, w: F.cross_entropy(x, t, w.detach(), reduction=how, label_smoothing=smooth),
                               reduction=k, smooth=smooth)
                    if x.dim() > 1 and x.numel():
                        table.case("cross_entropy", [x, t],
                                   lambda x, t: F.cross_entropy(x, t, reduction=how, ignore_index=int(t.flatten()[0]),
                                                                label_smoothing=smooth),
                                   reduction=k, smooth=smooth, ignore=int(t.flatten()[0]))
                        q = r(*sizes).softmax(1)
                        table.case("cross_entropy_probabilities", [x, q],
                                   lambda x, q: F.cross_entropy(x, q, reduction=how, label_smoothing=smooth),
                                   reduction=k, smooth=smooth)
                if x.dim() > 1:
                    table.case("nll_loss_weight", [x.log_softmax(1), t, w],
                               lambda x, t, w: F.nll_loss(x, t, w.detach(), reduction=how), reduction=k)
        for k, how in enumerate(reductions):
            table.case("mse_loss", [r(3, 2), r(3, 2)], lambda x, y: F.mse_loss(x, y, reduction=how), reduction=k)
    table.write()


def printing():
    """What Python prints, between lines of dashes, in the order of tests/test_print.cpp."""
    f64, f = torch.float64, torch.tensor
    tensors = [
        f(3), f(2.5), f([1.0, 2.0]), f([1, -20, 300]), f([True, False]), f([1.5, -2.25, 100.125]),
        f([1e-5, 1.0]), f([1e9, 1.0]), f([0.0, math.inf, -math.inf, math.nan]), f([1.5, math.nan]), f([12345.0, 1.0]),
        f([0.0, 0.0]), torch.arange(6).view(2, 3), torch.arange(24.0).view(2, 3, 4), torch.zeros(0), torch.zeros(0, 3),
        torch.zeros(0, dtype=torch.int64), f([1.5], dtype=f64), f([1, 2], dtype=torch.int32),
        f([1.5, 2.5], dtype=torch.float16), f([1.5, -2.5], dtype=torch.bfloat16), torch.arange(2000),
        torch.arange(10000.0).view(100, 100), torch.arange(3000).view(10, 10, 30) / 7, torch.arange(40.0) / 3,
        torch.arange(6.0).view(2, 3).t(), torch.arange(100).view(2, 50), torch.ones(2, requires_grad=True),
        torch.arange(12, dtype=f64).view(1, 2, 2, 3), f([-0.0, 1.0]), f([123456789.0]), f(float("nan")), f([0.00001]),
        torch.full((3, 1001), 7), f([255, 0], dtype=torch.uint8),
    ]
    path = os.path.join(HERE, "print.txt")
    with open(path, "w") as file:
        file.write("".join(str(t).replace("torch.", "") + "\n---\n" for t in tensors))
    print("%8d %s" % (os.path.getsize(path), path))


def activations():
    """The rows of tensor/activation.def. A backward's case is the gradient that PyTorch's own backward gives."""
    F = torch.nn.functional
    table = Table("activation")
    torch.manual_seed(11)

    # In terms of others: PyTorch 1.13's own have the factors 1 / 6 and 1 / alpha of their float64 gradients in float.
    def hardsigmoid(x):
        return F.hardtanh(x + 3, 0.0, 6.0) / 6

    def celu(x):
        return torch.where(x > 0, x, 1.4 * torch.expm1(x / 1.4))

    functions = [
        ("elu", lambda x: torch.ops.aten.elu(x, 0.7, 1.1, 1.3)), ("leaky_relu", lambda x: F.leaky_relu(x, 0.2)),
        ("gelu", F.gelu), ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")), ("silu", F.silu), ("mish", F.mish),
        ("softplus", lambda x: F.softplus(x, 0.8, 3)), ("log_sigmoid", F.logsigmoid),
        ("hardshrink", lambda x: F.hardshrink(x, 0.6)), ("softshrink", lambda x: F.softshrink(x, 0.6)),
        ("hardtanh", lambda x: F.hardtanh(x, -0.5, 1.5)), ("hardsigmoid", hardsigmoid), ("hardswish", F.hardswish),
        ("softsign", F.softsign), ("tanhshrink", F.tanhshrink),
        ("selu", F.selu), ("celu", celu), ("relu6", F.relu6),
    ]
    def huber(x, t):
        return F.huber_loss(x, t, reduction="none", delta=0.75)

    def kl_divergence(x, t):
        return F.kl_div(x, t, reduction="none")

    for d in FLOATS:
        x = torch.cat([torch.randn(20, dtype=torch.float64) * 3, torch.tensor([0.25, -0.5, 4.0, -6.0, 12.0, -12.0])]).to(d)
        for op, f in functions:
            table.case(op, [x], f, through_float=True)
        w = torch.tensor([0.3]).to(d)
        table.case("prelu", [x, w], F.prelu, grad=False, through_float=True)
        p, t = torch.rand(12, dtype=torch.float64).to(d), torch.rand(12, dtype=torch.float64).to(d)
        if d not in HALVES:
            table.case("binary_cross_entropy", [p, t],
                       lambda p, t: F.binary_cross_entropy(p, t, reduction="none"), grad=False)
            table.case("logit_cross_entropy", [x[:12], t],
                       lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="none"), grad=False)
            table.case("huber", [x[:12], t], huber, grad=False)
            table.case("kl_divergence", [x[:12], t * (t >= 0.2)], kl_divergence, grad=False)

    def backward_of(f):
        return lambda g, *x: torch.autograd.grad(f(*x), x[0], g, create_graph=True)[0]

    for d in (torch.float32, torch.float64):
        x = (torch.randn(20, dtype=torch.float64) * 2).to(d)
        g = torch.randn(20, dtype=torch.float64).to(d)
        for op, f in functions:
            if op in ("hardshrink", "softshrink", "selu", "celu", "relu6"):
                continue
            try:
                table.case(op + "_backward", [g, x], backward_of(f))
            except RuntimeError:  # no second derivative in PyTorch: the values only
                xs = x.clone().requires_grad_()
                y = torch.autograd.grad(f(xs), xs, g)[0]
                table.case(op + "_backward", [g, x], lambda g, x, y=y: y.clone(), grad=False)
        table.case("shrink_backward", [g, x], backward_of(functions[8][1]))
        p, t = torch.rand(20, dtype=torch.float64).to(d), torch.rand(20, dtype=torch.float64).to(d)
        for op, v, f in (("binary_cross_entropy_backward", p, F.binary_cross_entropy),
                         ("logit_cross_entropy_backward", x, F.binary_cross_entropy_with_logits),
                         ("huber_backward", x, partial(F.huber_loss, delta=0.75)),
                         ("kl_divergence_backward", x, F.kl_div)):
            v = v.clone().requires_grad_()
            y = torch.autograd.grad(f(v, t, reduction="none"), v, g)[0]
            table.case(op, [g, v.detach(), t], lambda g, v, t, y=y: y.clone(), grad=False)
    table.write()


def main():
    printing()
    graph_programs()
    pointwise()
    reductions()
    products()
    indexing()
    losses()
    activations()


if __name__ == "__main__":
    main()
