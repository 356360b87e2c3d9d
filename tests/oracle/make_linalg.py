#!/usr/bin/env python3
"""Writes products.txt and linalg.txt beside this file: products of vectors and matrices, and linear algebra, as
PyTorch computes them. Run with PyTorch 1.13, as make_oracle.py, which describes the format."""
import math
import warnings

import torch
from make_oracle import Table

warnings.simplefilter("ignore")
L = torch.linalg
DTYPES = (torch.float32, torch.float64)


def random(d):
    return lambda *sizes: torch.randn(sizes, dtype=torch.float64).to(d)


def products():
    table = Table("products")
    torch.manual_seed(11)
    for d in DTYPES:
        r = random(d)
        for equation, sizes in (
                ("ij,jk->ik", ((2, 3), (3, 4))), ("ij,jk", ((2, 3), (3, 4))), ("ij,kj->ki", ((2, 3), (4, 3))),
                ("ii->i", ((3, 3),)), ("ii", ((3, 3),)), ("iij->ji", ((3, 3, 2),)), ("iji->j", ((3, 2, 3),)),
                ("jii->ij", ((2, 3, 3),)), ("ij->", ((2, 3),)), ("ij->ji", ((2, 3),)), ("ji", ((2, 3),)),
                ("i,i->", ((3,), (3,))), ("i,j->ij", ((3,), (2,))), ("bA,aA", ((2, 3), (4, 3))),
                ("bij,bjk->bik", ((2, 3, 4), (2, 4, 2))), ("bij,bjk,bk->b", ((2, 3, 4), (2, 4, 2), (2, 2))),
                ("...ij,...jk->...ik", ((2, 1, 3, 4), (3, 4, 2))), ("...i,...j", ((2, 3), (2, 4))),
                ("i...->...", ((2, 3),)), ("i...,i...->i...", ((2, 3), (2, 3))), ("...,...", ((), (2,))),
                ("ij,ij->ij", ((1, 3), (2, 1))), ("ik,jkl,il->ij", ((2, 3), (4, 3, 2), (2, 2))),
                ("ijk,ilm,njm,nlk,abc->", ((2, 2, 3), (2, 3, 2), (2, 2, 2), (2, 3, 3), (1, 2, 2))),
                ("ij,jk->ik", ((0, 3), (3, 2))), ("ij,jk->ik", ((2, 0), (0, 3))), ("aij,bij->ab", ((2, 1, 3), (4, 2, 3)))):
            table.case("einsum", [r(*s) for s in sizes], lambda *x: torch.einsum(equation, *x), eq=equation)
        for a, b, da, db in (((2, 3), (3, 4), (1,), (0,)), ((2, 3, 4), (4, 2), (0, -1), (1, 0)), ((2, 3), (4,), (), ()),
                             ((2, 3), (2, 3), (0, 1), (0, 1)), ((2, 1), (3, 4), (1,), (0,)), ((0, 3), (3, 2), (1,), (0,))):
            table.case("tensordot", [r(*a), r(*b)], lambda a, b: torch.tensordot(a, b, dims=(da, db)),
                       da=",".join(map(str, da)), db=",".join(map(str, db)))
        table.case("outer", [r(3), r(2)], torch.outer)
        table.case("outer", [r(0), r(2)], torch.outer)
        for a, b in (((3,), (3,)), ((2, 3), (4, 3)), ((2, 2, 3), (3,)), ((), (2, 3))):
            table.case("inner", [r(*a), r(*b)], torch.inner)
        table.case("vdot", [r(4), r(4)], torch.vdot)
        for alpha, beta in ((1, 1), (0.5, -2), (2, 0)):
            k = dict(alpha=alpha, beta=beta)
            for c in ((3,), (1,), ()):
                table.case("addmv", [r(*c), r(3, 4), r(4)], lambda c, a, v: torch.addmv(c, a, v, **k), **k)
            for c in ((3, 2), (2,), (3, 1), ()):
                table.case("addr", [r(*c), r(3), r(2)], lambda c, a, b: torch.addr(c, a, b, **k), **k)
            for c in ((2, 3, 2), (3, 1), (2, 1, 2)):
                table.case("baddbmm", [r(*c), r(2, 3, 4), r(2, 4, 2)], lambda c, a, b: torch.baddbmm(c, a, b, **k), **k)
            for c in ((3, 2), (2,)):
                table.case("addbmm", [r(*c), r(2, 3, 4), r(2, 4, 2)], lambda c, a, b: torch.addbmm(c, a, b, **k), **k)
        for a, b in (((2,), (3,)), ((2, 2), (1, 3)), ((2,), (2, 3)), ((2, 1, 2), (3, 2)), ((), (2, 2))):
            table.case("kron", [r(*a), r(*b)], torch.kron)
        table.case("cross", [r(2, 3), r(2, 3)], torch.cross)
        table.case("cross", [r(3, 2, 3), r(3, 2, 3)], torch.cross)
        table.case("cross", [r(3, 2, 3), r(3, 2, 3)], lambda a, b: torch.cross(a, b, dim=-1), dim=-1)
        table.case("linalg_cross", [r(3, 2), r(3, 1)], lambda a, b: L.cross(a, b, dim=0), dim=0)
        for s in ((3, 3), (2, 4), (4, 2), (0, 3)):
            # torch.trace's own gradient of a tall matrix also fills places below its last row's diagonal.
            table.case("trace", [r(*s)], lambda x: x.diagonal().sum() if s[0] > s[1] else torch.trace(x))
        for p in (0.5, 1.0, 2.0, 3.0, math.inf):
            table.case("cdist", [r(3, 4), r(2, 4)], lambda a, b: torch.cdist(a, b, p), p=p)
        table.case("cdist", [r(2, 1, 3, 2), r(3, 2, 2)], torch.cdist)
        table.case("cdist", [r(3, 4), r(5, 4)],
                   lambda a, b: torch.cdist(a, b, compute_mode="use_mm_for_euclid_dist"), mode=1)
        table.case("cdist", [r(0, 2), r(3, 2)], torch.cdist)
        table.case("cdist", [torch.zeros(2, 2, dtype=d), torch.eye(2, dtype=d)], lambda a, b: torch.cdist(a, b, 0.0),
                   grad=False, p=0.0)
        table.case("chain_matmul", [r(2, 5), r(5, 3), r(3, 4), r(4, 2)], torch.chain_matmul)
        table.case("multi_dot", [r(3), r(3, 4), r(4, 2), r(2)], lambda *x: L.multi_dot(x))
        table.case("multi_dot", [r(2, 3), r(3, 2)], lambda *x: L.multi_dot(x))
    table.write()


def symmetric(x):
    return (x + x.mT) / 2


def linalg():
    table = Table("linalg")
    torch.manual_seed(12)
    for d in DTYPES:
        r = random(d)

        def regular(*s):  # well-conditioned
            return r(*s) + 3 * torch.eye(s[-2], s[-1], dtype=d)

        def positive(*s):
            x = r(*s)
            return x @ x.mT + 2 * torch.eye(s[-1], dtype=d)

        for s in ((3, 3), (1, 1), (2, 3, 3), (2, 2, 2, 2), (0, 0), (0, 2, 2)):
            a = regular(*s)
            for op, f in (("inv", L.inv), ("det", L.det), ("slogdet", lambda x: (L.slogdet(x)[0].detach(), L.slogdet(x)[1])),
                          ("lu_factor", lambda x: tuple(L.lu_factor(x)))):
                if op == "lu_factor" and s[-1] == 0:
                    continue
                table.case(op, [a], f)
            for upper in (False, True):
                table.case("cholesky", [positive(*s)], lambda x: L.cholesky(symmetric(x), upper=upper), upper=int(upper))
            if s[-1]:
                for n in (-2, -1, 0, 1, 2, 3, 5):
                    table.case("matrix_power", [a], lambda x: L.matrix_power(x, n), n=n)
                for uplo in "LU":
                    table.case("eigh", [regular(*s)], lambda x: (L.eigh(symmetric(x), uplo)[0],
                                                                 L.eigh(symmetric(x), uplo)[1].abs()), uplo=uplo)
                    table.case("eigvalsh", [regular(*s)], lambda x: L.eigvalsh(symmetric(x), uplo), uplo=uplo)
        table.case("det", [-regular(3, 3)], L.det)
        # By Laplace's expansion: the gradient, the cofactors, is not zero, as that of L.det is here.
        table.case("det_singular", [torch.tensor([[1, 2, 3], [2, 4, 6], [1, 0, 1]], dtype=d)],
                   lambda x: (x[0] * torch.cross(x[1], x[2], dim=0)).sum())
        table.case("det_singular", [torch.zeros(2, 2, dtype=d)], lambda x: x[0, 0] * x[1, 1] - x[0, 1] * x[1, 0])
        table.case("slogdet", [torch.zeros(2, 2, dtype=d)], L.slogdet, grad=False)
        table.case("logdet", [regular(3, 3) @ regular(3, 3) + 2 * torch.eye(3, dtype=d)], torch.logdet)
        for a, b, left in (((3, 3), (3,), 1), ((3, 3), (3, 2), 1), ((3, 3), (2, 3), 0), ((2, 3, 3), (2, 3), 1),
                           ((2, 3, 3), (3, 2), 1), ((3, 3), (2, 2, 3, 2), 1), ((2, 1, 3, 3), (4, 3, 2), 1),
                           ((2, 3, 3), (3,), 1), ((0, 0), (0, 2), 1), ((3, 3), (3, 0), 1), ((2, 3, 3), (2, 2, 3), 0)):
            table.case("solve", [regular(*a), r(*b)], lambda a, b: L.solve(a, b, left=bool(left)), left=left)
        for a, b, left in (((3, 3), (3, 2), 1), ((3, 3), (2, 3), 0), ((2, 3, 3), (2, 3, 2), 1), ((3, 3), (2, 3, 1), 1),
                           ((0, 0), (0, 2), 1)):
            for upper in (0, 1):
                for unit in (0, 1):
                    table.case("solve_triangular", [regular(*a), r(*b)],
                               lambda a, b: L.solve_triangular(a, b, upper=bool(upper), left=bool(left),
                                                               unitriangular=bool(unit)),
                               upper=upper, left=left, unit=unit)
        for upper in (0, 1):
            table.case("cholesky_solve", [r(3, 2), regular(3, 3)],
                       lambda b, l: torch.cholesky_solve(b, l.triu() if upper else l.tril(), bool(upper)), upper=upper)
            table.case("cholesky_inverse", [regular(3, 3)],
                       lambda l: torch.cholesky_inverse(l.triu() if upper else l.tril(), bool(upper)), upper=upper)
            for transpose in (0, 1):
                table.case("triangular_solve", [r(3, 2), regular(3, 3)],
                           lambda b, a: torch.triangular_solve(b, a, bool(upper), bool(transpose))[0], upper=upper,
                           transpose=transpose)
        for s in ((3, 3), (4, 2), (2, 4), (2, 3, 2), (2, 2, 3), (0, 2), (2, 0)):
            x = r(*s)
            for mode in ("reduced", "complete"):
                table.case("qr", [x], lambda t: tuple(v.abs() for v in L.qr(t, mode)),
                           grad=0 not in s and (mode == "reduced" or s[-2] <= s[-1]), mode=mode)
            table.case("qr_r", [x], lambda t: L.qr(t, "r")[1].abs(), grad=False)
            table.case("svd", [x], lambda t: tuple(v.abs() for v in L.svd(t, False)), grad=0 not in s)
            table.case("svd_full", [x], lambda t: (L.svd(t)[0].abs().detach(), L.svd(t)[1], L.svd(t)[2].abs().detach()),
                       grad=0 not in s)
            table.case("svdvals", [x], L.svdvals, grad=0 not in s)
            table.case("pinv", [x], L.pinv, grad=0 not in s)
            table.case("matrix_rank", [x], L.matrix_rank, grad=False)
        low = r(4, 2) @ r(2, 3)  # of rank 2
        table.case("pinv", [low], lambda t: L.pinv(t, rtol=1e-3), rtol=1e-3)
        table.case("matrix_rank", [low], lambda t: L.matrix_rank(t, rtol=1e-3), grad=False, rtol=1e-3)
        table.case("matrix_rank", [r(3, 4, 3)], lambda t: L.matrix_rank(t, atol=1.5), grad=False, atol=1.5)
        table.case("pinv_hermitian", [regular(2, 3, 3)], lambda t: L.pinv(symmetric(t), hermitian=True))
        for a, b in (((4, 2), (4, 3)), ((4, 2), (4,)), ((2, 4), (2, 3)), ((2, 4, 2), (2, 4, 1)), ((3, 3), (3, 2)),
                     ((2, 4, 2), (2, 4))):
            for driver in ("gelsy", "gels", "gelsd", "gelss"):
                def run(a, b):
                    x, *rest = L.lstsq(a, b, driver=driver)
                    return [x] + [t.detach() for t in rest]
                # (PyTorch 1.13 fails in the backward of a right side that is one vector.)
                table.case("lstsq", [r(*a), r(*b)], run, grad=len(a) == len(b), driver=driver)
        x = r(2, 3, 4)
        for order in (2, 1, 0, 3, 0.5, math.inf, -math.inf, -1):
            table.case("vector_norm", [x], lambda t: L.vector_norm(t, order), grad=order != 0, ord=order)
            table.case("vector_norm", [x], lambda t: L.vector_norm(t, order, dim=(0, -1), keepdim=True),
                       grad=order != 0, ord=order, dim="0,-1", keep=1)
        for order in (1, -1, 2, -2, math.inf, -math.inf):
            for keep in (False, True):
                table.case("matrix_norm", [x], lambda t: L.matrix_norm(t, order, dim=(-1, 0), keepdim=keep), ord=order,
                           dim="-1,0", keep=int(keep))
        for order in ("fro", "nuc"):
            table.case("matrix_norm_named", [x], lambda t: L.matrix_norm(t, order), ord=order)
            table.case("norm_named", [x[0]], lambda t: L.norm(t, order), ord=order)
        table.case("linalg_norm", [x], L.norm)
        table.case("linalg_norm", [x], lambda t: L.norm(t, dim=1), dim=1)
        table.case("linalg_norm", [x[0]], lambda t: L.norm(t, 1), ord=1)
        table.case("linalg_norm", [x[0, 0]], lambda t: L.norm(t, 3), ord=3)
        table.case("linalg_norm", [x], lambda t: L.norm(t, 1, dim=(0, 1)), ord=1, dim="0,1")
    table.write()


if __name__ == "__main__":
    products()
    linalg()
