#!/usr/bin/env python3
"""Writes math.txt, the table of the rows of tests/support/ops_table_math.cpp, in the format that make_oracle.py describes.

Run with PyTorch 1.13 (Debian 12: python3-torch):  /usr/bin/python3 tests/oracle/make_math.py

Float32 and half results are PyTorch's float64 results rounded once: PyTorch's own float32 special functions are too rough to
compare with.
"""
import math

import torch
from make_oracle import ALL, FLOATS, HALVES, INTS, Table, defined, pairs, specials

special = torch.special
DOMAIN = {  # where gradients are compared
    "exp2": (-5, 5), "log2": (0.01, 10), "log10": (0.01, 10), "sinh": (-4, 4), "cosh": (-4, 4), "tan": (-1.4, 1.4),
    "asin": (-0.95, 0.95), "acos": (-0.95, 0.95), "atan": (-5, 5), "asinh": (-5, 5), "acosh": (1.05, 10),
    "atanh": (-0.95, 0.95), "deg2rad": (-200, 200), "rad2deg": (-4, 4), "frac": (-5, 5), "sinc": (0.2, 3),
    "logit": (0.05, 0.95), "erfc": (-3, 3), "erfinv": (-0.95, 0.95), "lgamma": (0.1, 10), "digamma": (0.1, 10),
    "i0": (-30, 30), "i0e": (-30, 30), "i1": (-30, 30), "i1e": (-30, 30), "entr": (0.1, 3), "erfcx": (-2, 5),
    "ndtr": (-4, 4), "ndtri": (0.01, 0.99), "log_ndtr": (-8, 4),
}
PREDICATES = "signbit isposinf isneginf".split()


def digamma(x):
    """With the gradient zeta(2, x): PyTorch's trigamma is good to ten digits only."""
    at = x.detach()
    return torch.digamma(at) + (x - at) * special.zeta(torch.full_like(at, 2), at) if x.requires_grad else torch.digamma(x)


def ndtr(x):
    """PyTorch's, 1 + erf, cancels below 0."""
    return torch.erfc(x * -math.sqrt(0.5)) * 0.5


def find(op):
    mine = {"digamma": digamma, "ndtr": ndtr}
    return mine[op] if op in mine else getattr(torch, op) if hasattr(torch, op) else getattr(special, op)


def trigamma(n, x):
    return special.zeta(torch.full_like(x, 2), x) if n == 1 else torch.polygamma(n, x)


def rounded_once(f):
    """f in float64, rounded to the dtype that f gives."""

    def run(*args):
        dtype = f(*[a.float() if a.dtype in HALVES else a for a in args]).dtype
        halves = [a.dtype for a in args if a.dtype in HALVES]
        result = f(*[a.double() if a.dtype.is_floating_point else a for a in args])
        return result.to(halves[0] if halves and dtype == torch.float32 else dtype)

    return run


def uniform(d, low, high, n=12):
    return (torch.rand(n, dtype=torch.float64) * (high - low) + low).to(d)


def unary(table):
    for op, (low, high) in DOMAIN.items():
        f = find(op)
        for d in ALL:
            if op == "frac" and not d.is_floating_point:
                continue
            x = table.inputs["x", d][0]
            if d.is_floating_point:
                if op in ("lgamma", "digamma", "sinc", "tan", "frac", "log_ndtr", "erfcx"):
                    x = x[~(x.abs() > 1e4) | x.isinf()]  # where PyTorch's are rough
                if op in ("digamma", "lgamma"):
                    x = x[~((x < 0) & (x > -1e-3)) & ((x + 1).abs() > 0.01)]
                if op in ("sinh", "cosh", "i0", "i1"):
                    x = x[~(x.abs() > 700)]  # PyTorch's overflow early, or give NaN
                if op == "sinc":  # of the rounded product with pi
                    table.case(op, [uniform(d, low, high)], f, through_float=True)
                    table.case(op, [x], f, grad=False, through_float=True)
                    continue
                table.case(op, [uniform(d, low, high)], rounded_once(f))
            elif op in ("tan", "sinc"):
                x = x[x.to(torch.int64).abs() < 1000]
            g = f if d in (torch.float64,) or not d.is_floating_point else rounded_once(f)
            if not d.is_floating_point:
                g = f if op == "sinc" else lambda v, f=f: f(v.double()).to(f(v).dtype)
            table.case(op, [x], g, grad=False)
    for op in PREDICATES:
        for d in ALL:
            x = table.inputs["x", d][0]
            table.case(op, [x[x == x]], getattr(torch, op))  # the tables have no sign for NaN
    for d in (torch.float32, torch.float64):
        for n in (1, 2, 3):
            table.case("polygamma", [uniform(d, 0.2, 12)], rounded_once(lambda v, n=n: trigamma(n, v)), n=n)
        table.case("mvlgamma", [uniform(d, 1.5, 8)], rounded_once(lambda v: torch.mvlgamma(v, 3)), p=3)
        x = torch.tensor([0, 1, 0.02, 0.5, 0.97, -1, 2, math.nan], dtype=torch.float64).to(d)
        table.case("logit_eps", [x], rounded_once(lambda v: torch.logit(v, 0.0625)), eps=0.0625)


def binary(table):
    for op in "atan2 hypot copysign xlogy logaddexp logaddexp2 xlog1py".split():
        f = find(op)
        for d in FLOATS:
            a, b = table.inputs["p", d]
            if op == "hypot" and d in HALVES:
                continue
            table.case(op, [a, b], rounded_once(f), grad=False)
            table.case(op, [uniform(d, -3, 3), uniform(d, 0.1, 3)], rounded_once(f))
        if op not in ("hypot", "logaddexp", "logaddexp2"):
            for d in INTS + [torch.bool]:
                a, b = table.inputs["p", d]
                table.case(op, [a, b], lambda a, b, f=f: f(a.double(), b.double()).to(f(a, b).dtype))
    for d in (torch.float32, torch.float64):
        table.case("zeta", [uniform(d, 1.5, 6), uniform(d, 0.2, 9)],
                   rounded_once(lambda a, b: special.zeta(a.detach(), b)))
        table.case("nextafter", list(table.inputs["p", d]), torch.nextafter, grad=False)
        table.case("hypot", [torch.full((1,), 1e30, dtype=d), torch.full((1,), 1e30, dtype=d)], torch.hypot)
    for op in "fmax fmin heaviside floor_divide remainder fmod div_trunc logical_xor".split():
        f = (lambda a, b: torch.div(a, b, rounding_mode="trunc")) if op == "div_trunc" else getattr(torch, op)
        for d in ALL:
            a, b = table.inputs["p", d]
            divides = op in ("floor_divide", "remainder", "fmod", "div_trunc")
            if divides and d == torch.bool:
                continue
            if divides and not d.is_floating_point:
                keep = (b != 0) & (b != -1)
                a, b = a[keep], b[keep]
            if divides and d.is_floating_point:
                keep = a.abs() < 1e4  # PyTorch's vectorized fmod gives NaN for large quotients
                keep |= a.isinf()
                a, b = a[keep], b[keep]
            grad = op in ("fmax", "fmin")
            table.case(op, [a, b], f, grad=grad, through_float=True)
            if divides and d in (torch.float32, torch.float64):
                u, v = uniform(d, -9, 9), uniform(d, 0.5, 3) * torch.tensor([1, -1] * 6)
                table.case(op, [u, v], f, grad=op in ("remainder", "fmod"))
    for op in "bitwise_and bitwise_or bitwise_xor gcd lcm bitwise_left_shift bitwise_right_shift".split():
        f = getattr(torch, op)
        for d in INTS + [torch.bool]:
            a, b = table.inputs["p", d]
            if not op.startswith("bitwise") or op.endswith("shift"):
                if d == torch.bool:
                    continue
                small = (a > -9 if d != torch.uint8 else a >= 0) & (a < 9) & (b < 9) & (b >= -9 if d != torch.uint8 else b >= 0)
                keep = (b >= 0) & (b < 7) if op.endswith("shift") else small & ((a != 0) | (b != 0))
                a, b = a[keep], b[keep]
            table.case(op, [a, b], f)
    for d in INTS + [torch.bool]:
        table.case("bitwise_not", [table.inputs["x", d][0]], torch.bitwise_not)
    wide = torch.tensor([48, 180, 1071, -462, 2**40, 0, 35]), torch.tensor([18, 48, 462, 1071, 6 * 2**20, 0, -49])
    table.case("gcd", list(wide), torch.gcd)
    table.case("lcm", list(wide), torch.lcm)
    for d in (torch.int32, torch.uint8, torch.float32, torch.float64):
        x = torch.tensor([5, 7, 0, 250, 3, 1]).to(d)
        for op in "remainder fmod floor_divide".split():
            for s in (3, 2.5):
                table.case(op + "_number", [x], lambda v, op=op, s=s: getattr(torch, op)(v, s), s=s,
                           grad=op != "floor_divide")
            table.case(op + "_number", [x], lambda v, op=op: getattr(torch, op)(v, 2), s=2, grad=op != "floor_divide")
        table.case("rsub_number", [x], lambda v: torch.rsub(v, 3), s=3)
        table.case("rsub", [x, x.flip(0)], torch.rsub)
        table.case("ldexp", [x, torch.tensor([1, 2, 3, -1, 0, 4])], torch.ldexp)
        table.case("float_power", [x, torch.tensor([1, 2, 3, -1, 0, 4])], torch.float_power)
        if not d.is_floating_point:
            for op in "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift".split():
                table.case(op + "_number", [x], lambda v, op=op: getattr(torch, op)(v, 3), s=3)


def bounds(table):
    for d in (torch.float32, torch.float64, torch.int32):
        x = torch.tensor([-4, 1, 1, 2, 3, 9, 5]).to(d)
        low, high = torch.tensor([-3, 1, 2, 0, 4, 2, 7]).to(d), torch.tensor([3, 2, 1, 1, 4, 12, 5]).to(d)
        if d.is_floating_point:
            x[0] = math.nan
            high[5] = math.nan
        table.case("clamp_tensors", [x, low, high], torch.clamp)
        table.case("clamp_low", [x, low], lambda a, b: torch.clamp(a, min=b))
        table.case("clamp_high", [x, high], lambda a, b: torch.clamp(a, max=b))
    for d in FLOATS + [torch.int32, torch.bool]:
        x = table.inputs["x", d][0]
        if d != torch.bool:
            table.case("threshold", [x], lambda v: torch.threshold(v, 1, -3), t=1, v=-3, through_float=True)
        if d in HALVES:
            table.case("nan_to_num", [x], torch.nan_to_num)
            continue
        table.case("nan_to_num", [x], torch.nan_to_num)
        table.case("nan_to_num", [x], lambda v: torch.nan_to_num(v, 1.5, 2.5, -3.5), nan=1.5, posinf=2.5, neginf=-3.5)
    for d in (torch.float32, torch.float64):
        x = uniform(d, -40, 40, 16)
        for n in (2, 1, -1):
            table.case("round_decimals", [x], lambda v: torch.round(v, decimals=n), n=n)
        table.case("lerp_tensor", [uniform(d, -3, 3), uniform(d, -3, 3), uniform(d, -0.5, 1.5)], torch.lerp)


def incomplete_gammas(table):
    """From the tails to both sides of x = a, where the methods change; there is no derivative with respect to a."""
    for op in ("igamma", "igammac"):
        f = getattr(torch, op)
        for d in FLOATS:
            table.case(op, [uniform(d, 0.2, 9), uniform(d, 0.1, 12)], rounded_once(lambda a, x, f=f: f(a.detach(), x)))
        # Beyond a = 20 and near x = a PyTorch's are wrong in the tenth digit: test_names.cpp has true values.
        a = torch.tensor([0, 0, 1, 2, math.inf, math.inf, 3, -1, 1, 30, 150, 9.5, 0.01])
        x = torch.tensor([0, 1, 0, math.inf, 2, math.inf, math.nan, 1, -1, 12, 300, 9.4, 0.7])
        for d in (torch.float32, torch.float64):
            table.case(op, [a.to(d), x.to(d)], rounded_once(f), grad=False)
        for d in INTS:
            n, m = torch.tensor([1, 2, 5]).to(d), torch.tensor([1, 4, 3]).to(d)
            table.case(op, [n, m], lambda a, x, f=f: f(a.double(), x.double()).float())


def main():
    table = Table("math")
    torch.manual_seed(9)
    table.inputs = {}
    defined(table, "x", specials)
    defined(table, "p", pairs)
    unary(table)
    binary(table)
    bounds(table)
    incomplete_gammas(table)
    table.write()


if __name__ == "__main__":
    main()
