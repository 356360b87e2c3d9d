#!/usr/bin/env python3
"""Writes sparse.inc beside this file: what PyTorch gives for the cases of test_row_gradient. Run with a Python that has
torch 1.13 or later."""
import math
import os

import torch
from torch import optim as O

torch.set_num_threads(1)
out = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sparse.inc"), "w")
out.write("// Written by make_sparse.py with PyTorch %s. One row per case: name, values in row-major order.\n"
          % torch.__version__)


def put(name, values):
    out.write('{"%s", {%s}},\n' % (name, ", ".join(repr(float(v)) for v in values)))


def wave(sizes, phase):
    n = math.prod(sizes)
    return torch.tensor([0.5 * math.sin(phase + 0.37 * i) for i in range(n)], dtype=torch.float64).reshape(sizes)


# The weight after 8 steps; each looks up some rows twice, in two calls, or only in the second.
def sparse_case(name, make, sparse=True, once=False, **embedding):
    table = torch.nn.Embedding(7, 3, sparse=sparse, _weight=wave((7, 3), 0.2), **embedding)
    optimizer = make(table.parameters())
    for t in range(8):
        if not once:
            first = table(torch.tensor([(t * 2) % 7, (t + 3) % 7, (t * 2) % 7]))
        second = table(torch.tensor([[1, (5 * t) % 7]]))
        loss = (second ** 2).sum() + (0 if once else (first * wave((3, 3), t)).sum())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    put(name, table.weight.flatten().tolist())


sparse_case("sgd", lambda p: O.SGD(p, lr=0.3))
sparse_case("adagrad", lambda p: O.Adagrad(p, lr=0.2, lr_decay=0.1, initial_accumulator_value=0.05))
sparse_case("sparse_adam", lambda p: O.SparseAdam(p, lr=0.1))
sparse_case("sparse_adam_options", lambda p: O.SparseAdam(p, lr=0.1, betas=(0.7, 0.9), eps=1e-2))
sparse_case("sgd_padding", lambda p: O.SGD(p, lr=0.3), padding_idx=1)
# PyTorch has this one for dense gradients only; the numbers are the same.
sparse_case("sgd_frequency", lambda p: O.SGD(p, lr=0.3), sparse=False, scale_grad_by_freq=True)
sparse_case("sgd_max_norm", lambda p: O.SGD(p, lr=0.3), once=True, max_norm=0.4)
sparse_case("sgd_max_norm_1", lambda p: O.SGD(p, lr=0.3), once=True, max_norm=0.6, norm_type=1)
out.close()
