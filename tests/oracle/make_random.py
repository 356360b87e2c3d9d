#!/usr/bin/python3
"""Makes random.inc, the expected random numbers of test_random.cpp, with PyTorch (Debian's python3-torch, 1.13).

    /usr/bin/python3 tests/oracle/make_random.py > tests/oracle/random.inc

Each row is a call on a CPU tensor and the FNV-1a hash of the result's bytes in row-major order. PyTorch's own build
matters: where it was built with MKL, bernoulli_ draws from MKL's generator instead.
"""
import torch

NAMES = {
    torch.uint8: 'kUInt8', torch.int8: 'kInt8', torch.int16: 'kInt16', torch.int32: 'kInt32', torch.int64: 'kInt64',
    torch.float16: 'kFloat16', torch.float32: 'kFloat32', torch.float64: 'kFloat64', torch.bool: 'kBool',
    torch.bfloat16: 'kBFloat16'}
FLOATING = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
SEEDS = [0, 42, 2**33 + 7]


def fnv(data):
    h = 0xcbf29ce484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return h


def data(t):
    t = t.contiguous().view(-1)
    if t.dtype != torch.bool:
        t = t.view({1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[t.element_size()])
    return t.numpy().tobytes()


def braces(values):
    return '{' + ', '.join(str(v) for v in values) + '}'


def row(call, seed, t, a=0, b=0, calls=1):
    """t: an empty tensor that is filled `calls` times in place, or a function that makes the result."""
    torch.manual_seed(seed)
    if callable(t):
        out = t()
    else:
        out = t
        for _ in range(calls):
            {'uniform_': lambda: t.uniform_(a, b), 'normal_': lambda: t.normal_(a, b),
             'bernoulli_': lambda: t.bernoulli_(a), 'random_': lambda: t.random_(),
             'random_ft': lambda: t.random_(a, b), 'exponential_': lambda: t.exponential_(a),
             'geometric_': lambda: t.geometric_(a), 'cauchy_': lambda: t.cauchy_(a, b),
             'log_normal_': lambda: t.log_normal_(a, b)}[call]()
    print(f'{{"{call}", {NAMES[out.dtype]}, {seed}u, {braces(out.shape)}, {braces(out.stride())}, {a}, {b}, {calls}, '
          f'0x{fnv(data(out)):016x}u}},')


def strided(dtype):
    """Tensors that are not a row-major run: transposed, permuted, with gaps, without elements, without dimensions."""
    def empty(*sizes):
        return torch.empty(sizes, dtype=dtype)
    yield empty(7, 5).t()
    yield empty(3, 1, 4, 5).permute(2, 0, 3, 1)
    yield empty(6, 20)[:, ::3]
    yield empty(5, 6, 7)[1:4, :, 2].t()
    yield empty(40)[3:39:2]
    yield empty(3, 0)
    yield empty(3)[1]


print('// Made by make_random.py with PyTorch', torch.__version__.split('a')[0])
for seed in SEEDS:
    for n in [1, 2, 15, 16, 17, 33, 624, 1300]:
        for dtype in FLOATING:
            for a, b in [(0, 1), (-2.5, 0.3)]:
                row('uniform_', seed, torch.empty(n, dtype=dtype), a, b)
            for a, b in [(0, 1), (-3, 2.7)]:
                row('normal_', seed, torch.empty(n, dtype=dtype), a, b)
        for p in (0, 0.1, 0.5, 1):
            row('bernoulli_', seed, torch.empty(n), p)
    for dtype in NAMES:
        row('random_', seed, torch.empty(700, dtype=dtype))
        if dtype != torch.float16:  # which 1.13 doesn't have
            row('bernoulli_', seed, torch.empty(313, dtype=dtype), 0.3)
        if dtype != torch.bool:
            row('random_ft', seed, torch.empty(700, dtype=dtype), 3, 100)
        if dtype != torch.uint8 and dtype != torch.bool:
            row('random_ft', seed, torch.empty(700, dtype=dtype), -128, 127)
    for a, b in [(-3, 2**32 - 4), (-3, 2**32 - 3), (-2**62, 2**62)]:
        row('random_ft', seed, torch.empty(700, dtype=torch.int64), a, b)
    for dtype in [torch.float32, torch.float64]:
        row('random_ft', seed, torch.empty(700, dtype=dtype), -5, 2**24 + 2**10)
    for dtype in FLOATING:
        for t in strided(dtype):
            row('uniform_', seed, t, -1, 3)
            row('normal_', seed, t, 1, 3)
    for t in strided(torch.float32):
        row('bernoulli_', seed, t, 0.4)
    row('normal_', seed, torch.empty(3), 0, 1, calls=5)
    row('normal_', seed, torch.empty(3, dtype=torch.float64), 0, 1, calls=4)
    row('bernoulli_', seed, torch.empty(311), 0.5, calls=3)
    for n in [0, 1, 2, 7, 1000]:
        row('randperm', seed, lambda: torch.randperm(n))
    for dtype in [torch.int32, torch.uint8, torch.float32, torch.float16]:
        row('randperm', seed, lambda: torch.randperm(200, dtype=dtype))
    for dtype in [torch.float32, torch.float64, torch.bfloat16]:
        row('dropout', seed, lambda: torch.nn.functional.dropout(torch.ones(40, 10, dtype=dtype), 0.3), 0.3)
    # The mask is row-major whatever the strides of the input.
    row('dropout', seed, lambda: torch.nn.functional.dropout(torch.ones(9, 50).t(), 0.6).contiguous(), 0.6)
    for dtype in [torch.float32, torch.float64, torch.bfloat16]:
        p = torch.arange(50, dtype=torch.float64).mul(0.02).to(dtype)
        row('bernoulli_p', seed, lambda: torch.empty(10, 50).bernoulli_(p), 1 + FLOATING.index(dtype))
        row('bernoulli_p', seed, lambda: torch.empty(50, 10).t().bernoulli_(p), 1 + FLOATING.index(dtype))
    for draws in [0, 1, 5, 623, 624, 625]:
        def state():
            torch.empty(draws).uniform_()
            return torch.get_rng_state()
        row('state', seed, state, draws)
    def state_with_sample():
        torch.empty(1).normal_()
        return torch.get_rng_state()
    row('state', seed, state_with_sample, -1)
    # Distributions whose numbers are drawn as float64 and rounded once.
    for dtype in FLOATING:
        for t in [torch.empty(700, dtype=dtype), torch.empty(6, 7, dtype=dtype).t()]:
            row('exponential_', seed, t, 1.7)
            row('geometric_', seed, t, 0.25)
            row('cauchy_', seed, t, 0.5, 2)
            row('log_normal_', seed, t, 0.3, 1.2)
    for dtype in [torch.int64, torch.int16]:
        row('geometric_', seed, torch.empty(700, dtype=dtype), 0.02)
    for dtype in [torch.float32, torch.float64]:
        # Steps that every dtype holds exactly.
        rates = torch.arange(0, 60, 0.125, dtype=torch.float64).to(dtype)
        row('poisson', seed, lambda: torch.poisson(rates))
        weights = torch.arange(1, 41, dtype=dtype).reshape(4, 10)
        weights[1, 3] = 0
        for n, again in [(1, 0), (4, 0), (9, 0), (1, 1), (30, 1)]:
            row('multinomial' + str(64 if dtype == torch.float64 else 32), seed, lambda: torch.multinomial(weights, n, bool(again)), n, again)
            row('multinomial_row' + str(64 if dtype == torch.float64 else 32), seed, lambda: torch.multinomial(weights[2], n, bool(again)), n, again)
        mean, std = torch.arange(40, dtype=dtype) * 0.25 - 3, torch.arange(40, dtype=dtype) * 0.125
        row('normal_ts', seed, lambda: torch.normal(mean, 1.5), 1.5)
        row('normal_st', seed, lambda: torch.normal(0.5, std), 0.5)
        row('normal_tt', seed, lambda: torch.normal(mean, std))
        row('normal_tt_broadcast', seed, lambda: torch.normal(mean[:4, None], std[:5]))
