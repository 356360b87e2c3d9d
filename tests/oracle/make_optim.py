#!/usr/bin/env python3
"""Writes optim.inc beside this file: what PyTorch gives for the cases of test_optimizers, test_lbfgs and
test_schedulers. Run with a Python that has torch 1.13 or later."""
import math
import os
import warnings

import torch
from torch import optim as O
from torch.optim import lr_scheduler as S

warnings.filterwarnings("ignore")  # schedulers are stepped without their optimizers
torch.set_num_threads(1)
# PyTorch 1.13 keeps NAdam's and ASGD's scalars as tensors of the default dtype.
torch.set_default_dtype(torch.float64)
out = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "optim.inc"), "w")
out.write("// Written by make_optim.py with PyTorch %s. One row per case: name, values in row-major order.\n"
          % torch.__version__)


def put(name, values):
    out.write('{"%s", {%s}},\n' % (name, ", ".join(repr(float(v)) for v in values)))


def wave(sizes, phase, dtype=torch.float64):
    """The same numbers in the tests: 0.5 sin(phase + 0.37 i)."""
    n = math.prod(sizes)
    return torch.tensor([0.5 * math.sin(phase + 0.37 * i) for i in range(n)], dtype=torch.float64).reshape(sizes).to(dtype)


class NAdam(O.NAdam):
    """PyTorch 2's: 1.13 multiplies the product of the next step by mu once too often."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                s = self.state[p]
                if not s:
                    s.update(step=0, product=1.0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                s["step"] += 1
                t = s["step"]
                g = p.grad + group["weight_decay"] * p
                mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (i * group["momentum_decay"])) for i in (t, t + 1))
                s["product"] *= mu
                s["m"].lerp_(g, 1 - beta1)
                s["v"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
                denominator = (s["v"] / (1 - beta2 ** t)).sqrt() + group["eps"]
                p -= group["lr"] * (1 - mu) / (1 - s["product"]) * g / denominator
                p -= group["lr"] * mu_next / (1 - s["product"] * mu_next) * s["m"] / denominator


# --- trajectories: the parameters after 1, 2, 10 and 100 steps (float32: 1, 2 and 10) ---
def optimizer_case(name, make, **options):
    for dtype, suffix, report in [(torch.float64, "", (1, 2, 10, 100)), (torch.float32, ".float", (1, 2, 10))]:
        a, b = (wave(sizes, phase, dtype).requires_grad_() for sizes, phase in [((3, 2), 0.3), ((4,), 1.1)])
        optimizer = make([a, b], **options)
        for t in range(1, report[-1] + 1):
            for k, p in enumerate([a, b]):
                p.grad = wave(p.shape, 0.9 * t + k, dtype) + p.detach() * 0.1
            optimizer.step()
            if t in report:
                put("%s%s.%d" % (name, suffix, t), a.flatten().tolist() + b.tolist())
        if name.startswith("asgd"):
            put(name + suffix + ".ax", [v for p in (a, b) for v in optimizer.state[p]["ax"].flatten().tolist()])


optimizer_case("adamax", O.Adamax)
optimizer_case("adamax_options", O.Adamax, lr=0.01, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1)
optimizer_case("adamax_maximize", O.Adamax, lr=0.01, maximize=True)
optimizer_case("nadam", NAdam)
optimizer_case("nadam_options", NAdam, lr=0.01, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1, momentum_decay=0.02)
optimizer_case("radam", O.RAdam)
optimizer_case("radam_options", O.RAdam, lr=0.01, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1)
optimizer_case("adagrad", O.Adagrad)
optimizer_case("adagrad_options", O.Adagrad, lr=0.1, lr_decay=0.05, weight_decay=0.1, initial_accumulator_value=0.2,
               eps=1e-4)
optimizer_case("adagrad_maximize", O.Adagrad, lr=0.1, maximize=True)
optimizer_case("adadelta", O.Adadelta)
optimizer_case("adadelta_options", O.Adadelta, lr=0.5, rho=0.8, eps=1e-4, weight_decay=0.1)
optimizer_case("adadelta_maximize", O.Adadelta, maximize=True)
optimizer_case("rmsprop", O.RMSprop)
optimizer_case("rmsprop_momentum", O.RMSprop, lr=0.005, alpha=0.9, eps=1e-4, weight_decay=0.1, momentum=0.8)
optimizer_case("rmsprop_centered", O.RMSprop, lr=0.005, alpha=0.9, eps=1e-4, centered=True)
optimizer_case("rmsprop_all", O.RMSprop, lr=0.005, alpha=0.95, eps=1e-4, centered=True, momentum=0.5, maximize=True)
optimizer_case("asgd", O.ASGD)
optimizer_case("asgd_options", O.ASGD, lr=0.1, lambd=0.05, alpha=0.6, t0=4, weight_decay=0.1)
optimizer_case("asgd_maximize", O.ASGD, lr=0.01, maximize=True)
optimizer_case("rprop", O.Rprop)
optimizer_case("rprop_options", O.Rprop, lr=0.02, etas=(0.4, 1.5), step_sizes=(1e-3, 0.05))
optimizer_case("rprop_maximize", O.Rprop, lr=0.01, maximize=True)


# --- LBFGS on Rosenbrock's function: loss before, parameters after, evaluations so far, for each step ---
def lbfgs_case(name, start, steps, **options):
    x, y = (torch.tensor(part, requires_grad=True) for part in start)
    optimizer = O.LBFGS([x, y], **options)

    def closure():
        optimizer.zero_grad()
        z = torch.cat([x, y])
        loss = (100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2).sum()
        loss.backward()
        return loss

    for i in range(steps):
        loss = optimizer.step(closure)
        state = optimizer.state[x]
        put("lbfgs.%s.%d" % (name, i + 1),
            [loss.item()] + x.tolist() + y.tolist() + [state["func_evals"], state["n_iter"]])


lbfgs_case("wolfe", ([-1.5], [2.0]), 3, line_search_fn="strong_wolfe", max_iter=8)
lbfgs_case("fixed", ([-0.5], [0.5]), 5, lr=0.05, max_iter=10)
lbfgs_case("short_history", ([-1.2, 1.0, 0.4], [0.7, -0.3]), 5, history_size=3, line_search_fn="strong_wolfe", max_iter=6)
lbfgs_case("evaluations", ([-1.2, 1.0], [0.7, -0.3]), 4, lr=0.8, line_search_fn="strong_wolfe", max_eval=7)
lbfgs_case("tolerance", ([0.9], [0.8]), 3, line_search_fn="strong_wolfe", tolerance_grad=1e-3, tolerance_change=1e-5)


# --- schedules: each group's rate, then each group's momentum, for the start and 45 steps ---
def schedule_case(name, make, optimizer=None, momentum=False):
    first, second = wave((2,), 1).requires_grad_(), wave((3,), 2).requires_grad_()
    groups = [{"params": [first]}, {"params": [second], "lr": 0.2}]
    optimizer = optimizer(groups) if optimizer else O.SGD(groups, lr=0.5, momentum=0.9)
    scheduler = make(optimizer)
    rates, momenta = [], []
    for i in range(46):
        for group in optimizer.param_groups:
            rates.append(group["lr"])
            momenta.append(group["betas"][0] if "betas" in group else group["momentum"])
        if name.startswith("plateau"):
            scheduler.step(math.cos(0.4 * i) / (1 + 0.2 * i) if name != "plateau_max" else math.sin(0.3 * i) + 0.01 * i)
        else:
            scheduler.step()
    put("schedule.%s.lr" % name, rates)
    if momentum:
        put("schedule.%s.momentum" % name, momenta)


schedule_case("step", lambda o: S.StepLR(o, 7, 0.5))
schedule_case("multi_step", lambda o: S.MultiStepLR(o, [5, 12, 12, 30], 0.3))
schedule_case("multi_step_zero", lambda o: S.MultiStepLR(o, [0, 9]))
schedule_case("exponential", lambda o: S.ExponentialLR(o, 0.93))
schedule_case("constant", lambda o: S.ConstantLR(o, 0.25, 9))
schedule_case("constant_default", lambda o: S.ConstantLR(o))
schedule_case("linear", lambda o: S.LinearLR(o, 0.2, 0.7, 13))
schedule_case("linear_default", lambda o: S.LinearLR(o))
schedule_case("polynomial", lambda o: S.PolynomialLR(o, 20, 1.7))
schedule_case("polynomial_default", lambda o: S.PolynomialLR(o))
schedule_case("lambda", lambda o: S.LambdaLR(o, lambda t: 1 / (1 + 0.1 * t)))
schedule_case("lambda_groups", lambda o: S.LambdaLR(o, [lambda t: 0.9 ** t, lambda t: 1 + 0.1 * t]))
schedule_case("multiplicative", lambda o: S.MultiplicativeLR(o, lambda t: 1 - 0.5 / (t + 1)))
schedule_case("cosine", lambda o: S.CosineAnnealingLR(o, 10, 0.01))
schedule_case("warm_restarts", lambda o: S.CosineAnnealingWarmRestarts(o, 7, eta_min=0.02))
schedule_case("warm_restarts_longer", lambda o: S.CosineAnnealingWarmRestarts(o, 4, 2))
schedule_case("cyclic", lambda o: S.CyclicLR(o, 0.01, 0.1, 6), momentum=True)
schedule_case("cyclic2", lambda o: S.CyclicLR(o, [0.01, 0.02], [0.1, 0.3], 4, 9, "triangular2", base_momentum=0.7,
                                              max_momentum=0.95), momentum=True)
schedule_case("cyclic_range", lambda o: S.CyclicLR(o, 0.01, 0.1, 5, mode="exp_range", gamma=0.95, cycle_momentum=False),
              momentum=True)
schedule_case("cyclic_scale", lambda o: S.CyclicLR(o, 0.01, 0.1, 5, scale_fn=lambda x: 1 / (1 + x), scale_mode="iterations"),
              momentum=True)
schedule_case("one_cycle", lambda o: S.OneCycleLR(o, [0.1, 0.3], total_steps=46), momentum=True)
schedule_case("one_cycle_adam", lambda o: S.OneCycleLR(o, 0.1, total_steps=60, three_phase=True), O.Adam, momentum=True)
schedule_case("plateau", lambda o: S.ReduceLROnPlateau(o, factor=0.5, patience=2))
schedule_case("plateau_abs", lambda o: S.ReduceLROnPlateau(o, factor=0.3, patience=1, threshold=0.05, threshold_mode="abs",
                                                           cooldown=3, min_lr=[0.01, 0.05]))
schedule_case("plateau_max", lambda o: S.ReduceLROnPlateau(o, "max", factor=0.6, patience=3, threshold=0.1, eps=0.02))
schedule_case("chained", lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.1, 4), S.ExponentialLR(o, 0.9)]))
schedule_case("chained_three", lambda o: S.ChainedScheduler(
    [S.LinearLR(o, 0.5, 1.0, 6), S.MultiStepLR(o, [10, 20], 0.2), S.MultiplicativeLR(o, lambda t: 0.98)]))
schedule_case("chained_cosine", lambda o: S.ChainedScheduler([S.LinearLR(o, 0.3, 1.0, 5), S.CosineAnnealingLR(o, 15, 0.01)]))
schedule_case("sequential", lambda o: S.SequentialLR(o, [S.ConstantLR(o, 0.1, 2), S.ExponentialLR(o, 0.9)], [5]))
schedule_case("sequential_warm", lambda o: S.SequentialLR(
    o, [S.LinearLR(o, 0.1, 1.0, 8), S.CosineAnnealingLR(o, 12, 0.02), S.StepLR(o, 4, 0.5)], [8, 22]))
schedule_case("sequential_restarts", lambda o: S.SequentialLR(
    o, [S.LambdaLR(o, lambda t: 0.5 + 0.05 * t), S.CosineAnnealingWarmRestarts(o, 5, 2),
        S.MultiplicativeLR(o, lambda t: 0.9), S.PolynomialLR(o, 10, 2.0)], [6, 20, 30]))
schedule_case("sequential_cyclic", lambda o: S.SequentialLR(
    o, [S.MultiStepLR(o, [3], 0.5), S.CyclicLR(o, 0.01, 0.1, 4)], [11]), momentum=True)
out.close()
