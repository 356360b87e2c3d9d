#!/usr/bin/env python3
"""Writes the tables of the ops that index, reduce, scan, sort and rearrange: see make_oracle.py, whose format they have.

Run with PyTorch 1.13 (Debian 12: python3-torch):  /usr/bin/python3 tests/oracle/make_tensor_ops.py
"""
import math
import warnings

import torch

from make_oracle import ALL, FLOATS, HALVES, INTS, Table

WIDE = (torch.float32, torch.float64)
NUMBERS = INTS + [torch.float32, torch.float64]


def distinct(d, *sizes):
    """Different values, but for bool; negative and positive ones where the dtype has them."""
    n = math.prod(sizes)
    x = torch.randperm(n, dtype=torch.float64).reshape(sizes) * 3
    if d != torch.uint8:
        x = x - n
    return (x / 8 if d.is_floating_point else x % 2 if d == torch.bool else x).to(d)


def draw(d, *sizes):
    x = torch.randn(sizes, dtype=torch.float64) * 3
    return (x.abs() if d == torch.uint8 else x).to(d)


def ints(*values):
    return torch.tensor(values)


def scattering():
    table = Table("scatter")
    torch.manual_seed(21)
    for d in ALL:
        x = draw(d, 3, 4)
        for dim in (0, 1, -1):
            index = torch.stack([torch.randperm(3) for _ in range(4)], 1) if dim == 0 else torch.stack([torch.randperm(4) for _ in range(3)])
            src = draw(d, 3, 4)
            table.case("scatter", [x, index, src], lambda x, i, s: x.scatter(dim, i, s), dim=dim)
            table.case("scatter", [x, index[:2, :2], src[:2, :2]], lambda x, i, s: x.scatter(dim, i, s), dim=dim) if dim else None
            table.case("scatter_value", [x, index[:2, :3]], lambda x, i: x.scatter(dim, i, 1), dim=dim, value=1)
            table.case("take_along_dim", [x, index[:1] if dim == 0 else index[:, :1]], lambda x, i: torch.take_along_dim(x, i, dim), dim=dim)
        table.case("scatter", [x, torch.zeros(0, 4, dtype=torch.int64), draw(d, 0, 4)], lambda x, i, s: x.scatter(0, i, s), dim=0)
        table.case("take_along_dim", [x, ints(1, 5, 0)], lambda x, i: torch.take_along_dim(x, i))
        if d != torch.bool:
            many = torch.tensor([[0, 1, 2, 0], [0, 1, 1, 3], [2, 0, 0, 0]])
            for how in ("sum", "prod", "mean", "amax", "amin"):
                for include in (1, 0):
                    if d in HALVES or (d not in WIDE and how == "mean"):
                        continue
                    # No number of the source is one of x: with include_self=False PyTorch counts such ones as equal
                    # to a result when it shares the gradient of that.
                    src = distinct(d, 3, 4) + (1 / 16 if d.is_floating_point else 1 if d == torch.uint8 else 0)
                    table.case("scatter_reduce", [distinct(d, 3, 4), many, src],
                               lambda x, i, s: x.scatter_reduce(1, i, s, how, include_self=bool(include)), dim=1, reduce=how, include=include)
            table.case("index_add", [x, ints(2, 0, 2), draw(d, 3, 4)], lambda x, i, s: x.index_add(0, i, s), dim=0, alpha=1)
            if d in WIDE:
                table.case("index_add", [x, ints(1), draw(d, 3, 1)], lambda x, i, s: x.index_add(1, i, s, alpha=-0.5), dim=1, alpha=-0.5)
        table.case("index_copy", [x, ints(2, 0), draw(d, 2, 4)], lambda x, i, s: x.index_copy(0, i, s), dim=0)
        table.case("index_copy", [x, ints(3, 1, 0), draw(d, 3, 3)], lambda x, i, s: x.index_copy(1, i, s), dim=1)
        table.case("index_fill", [x, ints(2, 0)], lambda x, i: x.index_fill(1, i, 1), dim=1, value=1)
        table.case("index_fill", [x, ints(-1)], lambda x, i: x.index_fill(0, i, 0), dim=0, value=0)
        table.case("take", [x, torch.tensor([[0, -1], [5, 11]])], torch.take)
        table.case("put", [x, torch.tensor([[0, -1], [5, 10]]), draw(d, 2, 2)], lambda x, i, s: x.put(i, s), accumulate=0)
        if d != torch.bool:
            table.case("put", [x, ints(1, 3, 1), draw(d, 3)], lambda x, i, s: x.put(i, s, accumulate=True), accumulate=1)
        mask = torch.tensor([[True, False, True, True], [False, False, True, False], [True, True, False, False]])
        for m in (mask, mask[0], mask[:, :1], torch.tensor(True), torch.zeros(3, 4, dtype=torch.bool)):
            table.case("masked_select", [x, m], torch.masked_select)
            table.case("masked_scatter", [x, m, draw(d, 3, 5)], lambda x, m, s: x.masked_scatter(m, s))
            table.case("masked_fill_tensor", [x, m, draw(d)], lambda x, m, v: x.masked_fill(m, v))
        for t in (x, x[0], draw(d, 2, 0), draw(d, 2, 2, 3)):
            table.case("nonzero", [t], torch.nonzero)
            table.case("count_nonzero", [t], torch.count_nonzero)
        table.case("count_nonzero", [x], lambda x: torch.count_nonzero(x, 1), dim=1)
    odd = torch.tensor([[math.nan, 1, math.inf], [-math.inf, -0.0, 2]], dtype=torch.float64)
    for how in ("sum", "prod", "amax", "amin"):
        table.case("scatter_reduce", [torch.zeros(2, 2, dtype=torch.float64), torch.tensor([[0, 0, 1], [0, 1, 1]]), odd],
                   lambda x, i, s: x.scatter_reduce(1, i, s, how), grad=False, dim=1, reduce=how, include=1)
    table.write()


def statistics():
    table = Table("statistics")
    torch.manual_seed(22)
    for d in NUMBERS + [torch.bool]:
        x = (draw(d, 2, 3, 2) if d.is_floating_point else torch.randint(0, 4, (2, 3, 2)).to(d))
        table.case("prod", [x], torch.prod, keep=0)
        table.case("prod", [draw(d)], torch.prod, keep=0)
        table.case("prod", [draw(d, 0, 2)], lambda x: torch.prod(x, 0), dim=0, keep=0)
        for dim in (0, 1, -1):
            for keep in (0, 1):
                table.case("prod", [x], lambda x: torch.prod(x, dim, keepdim=bool(keep)), dim=dim, keep=keep)
        for dims in ((0,), (1,), (-1,), (0, 2), (0, 1, 2), (0, 1)):
            for keep in (0, 1):
                k = dict(dim=dims, keepdim=bool(keep))
                attributes = {"dim": ",".join(map(str, dims)), "keep": keep}
                y = distinct(d, 2, 3, 2)
                table.case("amax", [y], lambda x: torch.amax(x, **k), **attributes)
                table.case("amin", [y], lambda x: torch.amin(x, **k), **attributes)
                if d.is_floating_point:
                    table.case("nansum", [x], lambda x: torch.nansum(x, **k), **attributes)
                    table.case("nanmean", [x], lambda x: torch.nanmean(x, **k), **attributes)
                    for c in (0, 1):
                        for op in ("var", "std", "var_mean", "std_mean"):
                            table.case(op, [x], lambda x: getattr(torch, op)(x, dim=dims, correction=c, keepdim=bool(keep)),
                                       correction=c, **attributes)
        table.case("aminmax", [distinct(d, 3, 4)], lambda x: (torch.amin(x), torch.amax(x)))
        table.case("aminmax", [distinct(d, 3, 4)], lambda x: (torch.amin(x, 1), torch.amax(x, 1)), dim=1)
    for d in WIDE:
        table.case("prod", [torch.tensor([[1, 0, 3], [2, -1, 4], [0, 0, 2]], dtype=d)], lambda x: torch.prod(x, 1), dim=1, keep=0)
        table.case("prod", [torch.tensor([1, 0, 3, 2], dtype=d)], torch.prod, keep=0)
        odd = torch.tensor([[math.nan, 1, 2], [math.inf, 1, 0.5], [math.nan, math.nan, math.nan], [1e20, 1, -3]], dtype=torch.float64).to(d)
        attributes = {"dim": "1", "keep": 0}
        for op in ("nansum", "nanmean", "amax", "amin"):
            table.case(op, [odd], lambda x: getattr(torch, op)(x, dim=1), **attributes)
        table.case("prod", [odd], lambda x: torch.prod(x, 1), grad=False, dim=1, keep=0)
        for op in ("var", "std"):
            table.case(op, [odd[:3]], lambda x: getattr(torch, op)(x, dim=(1,), correction=1), grad=False, correction=1, **attributes)
            table.case(op, [draw(d, 1, 3)], lambda x: getattr(torch, op)(x, dim=(0,), correction=1), grad=False, correction=1, dim=0, keep=0)
            table.case(op, [draw(d, 2, 60) + 100], lambda x: getattr(torch, op)(x, dim=(1,), correction=1), correction=1, **attributes)
            table.case(op, [draw(d, 3, 0)], lambda x: getattr(torch, op)(x, dim=(1,), correction=1), grad=False, correction=1, **attributes)
    table.write()


def scans():
    table = Table("scan")
    torch.manual_seed(23)
    for d in NUMBERS + [torch.bool]:
        x = draw(d, 2, 3, 4)
        for t, dims in ((x, (0, 1, -1)), (draw(d, 5), (0,)), (draw(d), (0,)), (draw(d, 0, 3), (0, 1))):
            for dim in dims:
                for op in ("cumsum", "cumprod"):
                    table.case(op, [t], lambda x: getattr(torch, op)(x, dim), dim=dim)
                if t.numel():
                    for op in ("cummax", "cummin"):
                        table.case(op, [distinct(d, *t.shape)], lambda x: tuple(getattr(torch, op)(x, dim)), dim=dim)
                if d.is_floating_point:
                    table.case("logcumsumexp", [t], lambda x: torch.logcumsumexp(x, dim), dim=dim)
        table.case("diff", [x], torch.diff, n=1, dim=-1)
        table.case("diff", [x], lambda x: torch.diff(x, 2, 1), n=2, dim=1)
    for d in WIDE:
        table.case("cumprod", [torch.tensor([[1, 0, 3, 2], [2, -1, 4, 0.5], [0, 3, 0, 2]], dtype=d)], lambda x: torch.cumprod(x, 1), dim=1)
        odd = torch.tensor([[1, math.nan, 2, 5], [3, 3, -math.inf, 3], [-math.inf, -math.inf, 1, math.inf]], dtype=d)
        for op in ("cumsum", "cumprod", "logcumsumexp"):
            table.case(op, [odd], lambda x: getattr(torch, op)(x, 1), grad=False, dim=1)
        for op in ("cummax", "cummin"):
            table.case(op, [odd], lambda x: tuple(getattr(torch, op)(x, 1)), grad=False, dim=1)
        table.case("logcumsumexp", [torch.tensor([800.0, 801, 3, -900], dtype=d)], lambda x: torch.logcumsumexp(x, 0), dim=0)
    table.write()


def sorting():
    table = Table("sort")
    torch.manual_seed(24)
    for d in ALL:
        for sizes, dims in (((3, 5), (0, 1, -1)), ((2, 3, 2), (1,)), ((7,), (0,)), ((), (0,)), ((0, 2), (0, 1))):
            x = distinct(d, *sizes)
            for dim in dims:
                for down in (0, 1):
                    table.case("sort", [x], lambda x: tuple(torch.sort(x, stable=True, dim=dim, descending=bool(down))), dim=dim, down=down)
                    table.case("argsort", [x], lambda x: torch.sort(x, stable=True, dim=dim, descending=bool(down))[1], dim=dim, down=down)
                if d == torch.bool or not x.numel():
                    continue
                for k in (1, 2, 0):
                    for largest in (0, 1):
                        if x.dim() == 0 and k > 1 or d == torch.float16:
                            continue
                        table.case("topk", [x], lambda x: tuple(torch.topk(x, k, dim, largest=bool(largest))), k=k, dim=dim, largest=largest)
                    if k and (x.dim() or k == 1) and d not in HALVES:
                        table.case("kthvalue", [x], lambda x: tuple(torch.kthvalue(x, k, dim, keepdim=bool(k - 1))), k=k, dim=dim, keep=k - 1)
                if d not in HALVES:
                    for keep in (0, 1):
                        for op in ("median", "nanmedian"):
                            table.case(op, [x], lambda x: tuple(getattr(torch, op)(x, dim, keepdim=bool(keep))), dim=dim, keep=keep)
            if x.numel() and d not in HALVES + (torch.bool,):
                table.case("median", [x], torch.median)
        ties = (torch.randint(0, 4, (3, 40)) % (2 if d == torch.bool else 9)).to(d)
        for down in (0, 1):
            table.case("argsort", [ties], lambda x: torch.sort(x, stable=True, dim=1, descending=bool(down))[1], dim=1, down=down)
        if d not in HALVES:
            table.case("unique", [ties[:, :5]], lambda x: torch.unique(x, return_inverse=True, return_counts=True), grad=False)
            table.case("unique_consecutive", [ties[:, :9]], lambda x: torch.unique_consecutive(x, return_inverse=True, return_counts=True), grad=False)
            table.case("unique_dim", [ties[:2, :9]], lambda x: torch.unique(x, dim=1, return_inverse=True, return_counts=True), grad=False, dim=1)
            table.case("mode", [ties], lambda x: torch.mode(x, 1)[0], grad=False, dim=1)
        if d in INTS:
            table.case("bincount", [ties[0]], torch.bincount)
            table.case("bincount", [ties[0], draw(torch.float32, 40)], torch.bincount, grad=False)
            table.case("bincount", [ties[0]], lambda x: torch.bincount(x, minlength=7), min=7)
        if d in NUMBERS:
            edges, v = distinct(d, 6).sort()[0], distinct(d, 3, 4)
            for right in (0, 1):
                table.case("searchsorted", [edges, v], lambda e, v: torch.searchsorted(e, v, right=bool(right)), grad=False, right=right)
                table.case("searchsorted", [distinct(d, 3, 5).sort()[0], v], lambda e, v: torch.searchsorted(e, v, right=bool(right)), grad=False, right=right)
                table.case("bucketize", [v, edges], lambda v, e: torch.bucketize(v, e, right=bool(right)), grad=False, right=right)
    for d in WIDE:
        odd = torch.tensor([[1, math.nan, -2, math.inf, math.nan], [0.0, -0.0, 0.0, -math.inf, 5]], dtype=d)
        for down in (0, 1):
            table.case("argsort", [odd], lambda x: torch.sort(x, stable=True, dim=1, descending=bool(down))[1], dim=1, down=down)
        for op in ("median", "nanmedian"):
            table.case(op, [odd], lambda x: tuple(getattr(torch, op)(x, 1)), grad=False, dim=1, keep=0)
        long = distinct(d, 1, 4500)
        table.define("long%d" % torch.finfo(d).bits, long)
        table.case("topk", [long], lambda x: tuple(torch.topk(x, 5, 1)), grad=False, k=5, dim=1, largest=1)
        table.case("kthvalue", [long], lambda x: tuple(torch.kthvalue(x, 777, 1)), grad=False, k=777, dim=1, keep=0)
        table.case("argsort", [long], lambda x: torch.argsort(x), dim=1, down=0)
        x = distinct(d, 3, 5)
        for how in ("linear", "lower", "higher", "midpoint", "nearest"):
            for q in (0.0, 0.3, 0.75, 1.0):
                a = dict(q=q, how=how)
                table.case("quantile", [x], lambda x: torch.quantile(x, q, interpolation=how), **a)
                table.case("quantile", [x], lambda x: torch.quantile(x, q, 1, True, interpolation=how), dim=1, keep=1, **a)
                table.case("nanquantile", [x], lambda x: torch.nanquantile(x, q, 0, interpolation=how), dim=0, **a)
        nans = torch.tensor([[1, math.nan, -2], [0.5, 3, 2]], dtype=d)
        table.case("quantile", [nans], lambda x: torch.quantile(x, 0.4, 1), grad=False, q=0.4, how="linear", dim=1)
        table.case("nanquantile", [nans], lambda x: torch.nanquantile(x, 0.4, 1), grad=False, q=0.4, how="linear", dim=1)
        table.case("histc", [draw(d, 50)], lambda x: torch.histc(x, 7, -2, 4), grad=False, bins=7, min=-2, max=4)
        table.case("histc", [draw(d, 5, 6)], lambda x: torch.histc(x, 4), grad=False, bins=4, min=0, max=0)
    table.write()


def shapes():
    table = Table("shape")
    torch.manual_seed(25)
    F = torch.nn.functional
    for d in (torch.float32, torch.float64, torch.int64, torch.bool, torch.bfloat16, torch.uint8):
        x = draw(d, 2, 3, 4)
        for dims in ((0,), (1, 2), (-1, 0), (0, 1, 2)):
            table.case("flip", [x], lambda x: torch.flip(x, dims), dims=",".join(map(str, dims)))
        for shifts, dims in (((1,), ()), ((-7,), ()), ((2,), (1,)), ((-1, 5), (0, 2))):
            table.case("roll", [x], lambda x: torch.roll(x, shifts, dims), shifts=",".join(map(str, shifts)), dims=",".join(map(str, dims)))
        for k in range(-1, 5):
            table.case("rot90", [x], lambda x: torch.rot90(x, k, (1, 2)), k=k, dims="1,2")
        table.case("tile", [x], lambda x: torch.tile(x, (2,)), dims="2")
        table.case("tile", [x[0]], lambda x: torch.tile(x, (2, 1, 2)), dims="2,1,2")
        table.case("repeat_interleave", [x, ints(2, 0, 1)], lambda x, r: torch.repeat_interleave(x, r, 1), dim=1)
        table.case("repeat_interleave", [x, ints(2)], lambda x, r: torch.repeat_interleave(x, r))
        for k in (-4, -1, 0, 2, 5):
            table.case("tril", [x], lambda x: torch.tril(x, k), k=k)
            table.case("triu", [x], lambda x: torch.triu(x, k), k=k)
            table.case("diagonal", [x], lambda x: torch.diagonal(x, k, 1, 2), k=k, a=1, b=2)
            table.case("diagonal", [x], lambda x: torch.diagonal(x, k, -1, 0), k=k, a=-1, b=0)
            if -3 < k < 4:
                table.case("diag", [x[0]], lambda x: torch.diag(x, k), k=k)
            table.case("diag", [x[0, 0]], lambda x: torch.diag(x, k), k=k)
            table.case("diag_embed", [x[0]], lambda x: torch.diag_embed(x, k), k=k, a=-2, b=-1)
            table.case("diag_embed", [x[0]], lambda x: torch.diag_embed(x, k, 2, 0), k=k, a=2, b=0)
        table.case("unfold", [x], lambda x: x.unfold(2, 2, 1), dim=2, size=2, step=1)
        table.case("unfold", [x], lambda x: x.unfold(1, 2, 2), dim=1, size=2, step=2)
        pads = lambda *p: dict(pad=",".join(map(str, p)))
        for p in ((1, 2), (0, 1, 2, 0), (-1, 1), (-1, -2, 1, 1, 0, 1), (0, 0)):
            table.case("pad", [x], lambda x: F.pad(x, p, value=1), mode="constant", value=1, **pads(*p))
        if d in WIDE:
            for mode in ("reflect", "replicate", "circular"):
                for p in ((1, 2), (3, 0), (0, 3)):
                    table.case("pad", [x], lambda x: F.pad(x, p, mode=mode), mode=mode, **pads(*p))
                table.case("pad", [x.unsqueeze(0)], lambda x: F.pad(x, (1, 2, 2, 1), mode=mode), mode=mode, **pads(1, 2, 2, 1))
        for t, dim in ((x, 1), (x, -1)):
            table.case("tensor_split", [t], lambda x: torch.tensor_split(x, 3, dim), sections=3, dim=dim)
            table.case("tensor_split", [t], lambda x: torch.tensor_split(x, (1, 2, 5), dim), at="1,2,5", dim=dim)
        table.case("hsplit", [x], lambda x: torch.hsplit(x, 3), sections=3)
        table.case("vsplit", [x], lambda x: torch.vsplit(x, 2), sections=2)
        table.case("dsplit", [x], lambda x: torch.dsplit(x, 2), sections=2)
        table.case("movedim", [x], lambda x: torch.movedim(x, (0, 2), (1, 0)), a="0,2", b="1,0")
        table.case("movedim", [x], lambda x: torch.movedim(x, 0, -1), a="0", b="-1")
        for how in ("ij", "xy"):
            table.case("meshgrid", [draw(d, 2), draw(d, 3), draw(d, 2)], lambda *t: torch.meshgrid(*t, indexing=how), how=how)
        table.case("cartesian_prod", [draw(d, 2), draw(d, 3)], torch.cartesian_prod)
        table.case("combinations", [draw(d, 4)], lambda x: torch.combinations(x, 2), r=2, with_=0)
        table.case("combinations", [draw(d, 3)], lambda x: torch.combinations(x, 3, True), r=3, with_=1)
        table.case("block_diag", [draw(d, 2, 3), draw(d), draw(d, 2)], torch.block_diag)
        for op in ("hstack", "vstack", "dstack", "column_stack"):
            table.case(op, [draw(d, 3), draw(d, 3)], lambda *t: getattr(torch, op)(t))
            table.case(op, [draw(d, 2, 3), draw(d, 2, 3)], lambda *t: getattr(torch, op)(t))
        table.case("atleast_3d", [draw(d)], torch.atleast_3d)
        table.case("atleast_3d", [draw(d, 2)], torch.atleast_3d)
        table.case("atleast_3d", [draw(d, 2, 3)], torch.atleast_3d)
    table.case("one_hot", [torch.tensor([[0, 2], [1, 1]])], F.one_hot, classes=-1)
    table.case("one_hot", [ints(0, 2)], lambda x: F.one_hot(x, 5), classes=5)
    table.write()


def parts():
    table = Table("parts")
    torch.manual_seed(26)
    for d in ALL:
        x = draw(d, 3, 4)
        table.case("select_scatter", [x, draw(d, 3)], lambda x, s: torch.select_scatter(x, s, 1, -2), dim=1, index=-2)
        table.case("slice_scatter", [x, draw(d, 3, 2)], lambda x, s: torch.slice_scatter(x, s, 1, 1, None, 2), dim=1, start=1, step=2)
        table.case("diagonal_scatter", [x, draw(d, 3)], lambda x, s: torch.diagonal_scatter(x, s, 1), k=1)
        if d != torch.bool:
            if d != torch.bfloat16:
                table.case("isin", [x, torch.cat([x[0, :2], x[2, 1:3]])], lambda x, t: torch.isin(x, t), grad=False)
            if d not in HALVES:
                for how in ("prod", "mean", "amax", "amin"):
                    for include in (1, 0):
                        if how == "mean" and d not in WIDE:
                            continue
                        src = distinct(d, 3, 3) + (1 / 16 if d.is_floating_point else 1 if d == torch.uint8 else 0)
                        table.case("index_reduce", [distinct(d, 3, 4), ints(1, 3, 1), src],
                                   lambda x, i, s: x.index_reduce(1, i, s, how, include_self=bool(include)), dim=1, reduce=how, include=include)
        if d in WIDE:
            for p, most in ((2, 1.5), (1, 3), (3, 100)):
                table.case("renorm", [x], lambda x: torch.renorm(x, p, 0, most), p=p, dim=0, most=most)
            table.case("dist", [x, draw(d, 3, 4)], torch.dist)
            for t in (x, x[0]):
                table.case("cov", [t], torch.cov, correction=1)
                table.case("cov", [t], lambda x: torch.cov(x, correction=0), correction=0)
            count, weigh = ints(1, 2, 0, 3), torch.tensor([0.5, 1, 2, 0.25], dtype=d)
            table.case("cov_weighted", [x, count, weigh], lambda x, f, a: torch.cov(x, fweights=f, aweights=a))
            table.case("corrcoef", [draw(d, 3, 5)], torch.corrcoef)
            points = torch.sort(draw(d, 4))[0]
            for op in ("trapezoid", "cumulative_trapezoid"):
                table.case(op, [x, points], lambda y, x: getattr(torch, op)(y, x, dim=1), dim=1)
                table.case(op, [x, draw(d, 3, 4)], lambda y, x: getattr(torch, op)(y, x, dim=0), dim=0)
                table.case(op, [x], lambda y: getattr(torch, op)(y, dx=0.5, dim=1), dx=0.5, dim=1)
    table.write()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    scattering()
    statistics()
    scans()
    sorting()
    shapes()
    parts()
