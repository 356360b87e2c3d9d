#!/usr/bin/env python3
"""Writes names.inc beside this file: what PyTorch gives for the cases of test_names. Run with a Python that has torch
1.13 or later."""
import math
import os

import torch

torch.set_num_threads(1)
out = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "names.inc"), "w")
out.write("// Written by make_names.py with PyTorch %s. One row per case: name, values in row-major order.\n"
          % torch.__version__)


def put(name, *tensors):
    values = [float(v) for t in tensors for v in t.double().flatten().tolist()]
    text = ["INFINITY" if v == math.inf else "-INFINITY" if v == -math.inf else "NAN" if v != v else repr(v) for v in values]
    out.write('{"%s", {%s}},\n' % (name, ", ".join(text)))


def wave(sizes, phase):
    n = math.prod(sizes)
    return torch.tensor([0.5 * math.sin(phase + 0.37 * i) for i in range(n)], dtype=torch.float64).reshape(sizes)


L = torch.linalg
a, tall, b = wave((4, 4), 0.3) + torch.eye(4), wave((5, 3), 1.0) + torch.eye(5, 3), wave((4, 2), 2.0)
put("matrix_exp", torch.matrix_exp(wave((3, 3), 0.1)))
put("matrix_exp_batch", torch.matrix_exp(wave((3, 2, 2), 0.4) * torch.tensor([1.0, 30.0, 1e-3], dtype=torch.float64).reshape(3, 1, 1)))
h, tau = torch.geqrf(tall)
put("geqrf", h, tau)
put("geqrf_wide", *torch.geqrf(tall.T))
put("householder_product", L.householder_product(h, tau))
put("ormqr", torch.ormqr(h, tau, wave((5, 2), 0.2)))
put("ormqr_transposed", torch.ormqr(h, tau, wave((5, 2), 0.2), transpose=True))
put("ormqr_right", torch.ormqr(h, tau, wave((2, 5), 0.2), left=False))
put("lu", *L.lu(a))
put("lu_tall", *L.lu(tall))
lu, pivots = L.lu_factor(a)
put("lu_unpack", *torch.lu_unpack(lu, pivots))
for left in (True, False):
    for adjoint in (True, False):
        put("lu_solve_%d%d" % (left, adjoint), L.lu_solve(lu, pivots, b if left else b.T, left=left, adjoint=adjoint))
put("lu_solve", torch.lu_solve(b, lu, pivots))
singular = torch.stack([a, torch.ones(4, 4, dtype=torch.float64)])
put("inv_ex_info", L.inv_ex(singular).info)
definite = a @ a.T
indefinite = definite.clone()
indefinite[2, 2] = -1
put("cholesky_ex_info", L.cholesky_ex(torch.stack([definite, indefinite, -definite])).info)
put("tensorinv", L.tensorinv(wave((2, 3, 6), 0.5) + torch.eye(6).reshape(2, 3, 6)))
put("tensorsolve", L.tensorsolve(wave((2, 3, 6), 0.5) + torch.eye(6).reshape(2, 3, 6), wave((2, 3), 1)))
put("tensorsolve_dims", L.tensorsolve(wave((6, 2, 3), 0.5) + torch.eye(6).reshape(6, 2, 3), wave((2, 3), 1), dims=(0,)))
for p in (None, 2, -2, 1, -1, math.inf, "fro", "nuc"):
    put("cond_%s" % p, L.cond(a, p))
put("cond_singular", L.cond(singular, 1))
put("vecdot", L.vecdot(a, wave((4, 4), 2), dim=0))
put("linalg_vander", L.vander(a, N=3))
x = torch.tensor([0.3, 0.9, 1.6, 1.8, 2.9], dtype=torch.float64)
put("vander", torch.vander(x))
put("vander_increasing", torch.vander(x, 3, increasing=True))
put("vander_int", torch.vander(torch.tensor([1, 2, 3])))
f = wave((4, 5), 0.7)
put("gradient", *torch.gradient(f))
put("gradient_dim", *torch.gradient(f, spacing=0.5, dim=1, edge_order=2))
put("gradient_numbers", *torch.gradient(f, spacing=[0.5, 2.0]))
put("gradient_places", *torch.gradient(f, spacing=(torch.tensor([0.0, 1, 3, 4], dtype=torch.float64), x), edge_order=2))
put("gradient_int", *torch.gradient(torch.tensor([1, 4, 9, 16])))
v, w = wave((50,), 0.1), wave((50,), 1.0).abs()
put("histogram", *torch.histogram(v, 7))
put("histogram_range", *torch.histogram(v, 5, range=(-0.25, 0.4)))
put("histogram_density", *torch.histogram(v, 5, weight=w, density=True))
put("histogram_edges", *torch.histogram(v, torch.tensor([-0.5, -0.1, 0.0, 0.31], dtype=torch.float64), weight=w))
counts, edges = torch.histogramdd(wave((30, 2), 0.3), [3, 4], density=True)
put("histogramdd", counts, *edges)
for n, periodic in ((7, True), (7, False), (1, True), (0, True)):
    for name in "bartlett blackman hamming hann kaiser".split():
        put("%s_%d%d" % (name, n, periodic), getattr(torch, name + "_window")(n, periodic=periodic, dtype=torch.float64))
put("hamming_coefficients", torch.hamming_window(6, True, 0.6, 0.4, dtype=torch.float64))
put("kaiser_beta", torch.kaiser_window(6, True, 5.0, dtype=torch.float64))
odd = torch.tensor([0.0, -0.75, 1.0, 1e300, -5e-310, math.inf, math.nan, 3.5], dtype=torch.float64)
put("frexp", *torch.frexp(odd[:5]), torch.frexp(odd[5:]).mantissa)
put("angle", torch.angle(odd))
put("norm_except_dim", torch.norm_except_dim(wave((3, 4), 0.2), 2, 1))
put("nuclear_norm", torch.nuclear_norm(tall))
put("as_strided_scatter", torch.as_strided_scatter(f, torch.zeros(2, 2, dtype=torch.float64), (2, 2), (1, 6), 1))
put("view_dtype", torch.tensor([[1.5, -2.0]]).view(torch.int32), torch.tensor([[1.5, -2.0]]).view(torch.int16))
out.close()
