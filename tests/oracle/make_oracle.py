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

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
INTS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
ALL = INTS + FLOATS + [torch.bool]


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
        self.file, self.lines, self.defs = file, [], {}

    def define(self, key, t):
        self.defs[key] = text(t)
        self.lines.append("def %s %s" % (key, self.defs[key]))

    def tensor(self, t):
        line = text(t)
        for key, known in self.defs.items():
            if known == line:
                return "@" + key
        return line

    def case(self, op, inputs, run, grad=True, **attributes):
        """run(*inputs) -> tensor or tuple. Gradients for floating inputs, with a random gradient of each result."""
        wrt = [i for i, x in enumerate(inputs) if grad and x.dtype in (torch.float32, torch.float64)]
        args = [x.detach().clone().requires_grad_(i in wrt) for i, x in enumerate(inputs)]
        results = run(*args)
        results = list(results) if isinstance(results, (tuple, list)) else [results]
        self.lines.append(" ".join(["case", op] + ["%s=%s" % (k, v) for k, v in attributes.items()]))
        self.lines += ["in " + self.tensor(x) for x in inputs]
        roots, gouts = [], []
        for r in results:
            self.lines.append("out " + self.tensor(r))
            if r.requires_grad and r.dtype in (torch.float32, torch.float64):
                g = torch.randint(-8, 9, r.shape).to(r.dtype) / 4
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


def main():
    graph_programs()


if __name__ == "__main__":
    main()
