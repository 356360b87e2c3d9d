#!/usr/bin/env python3
"""Writes nn.inc beside this file: what PyTorch gives for the cases of test_init, test_lstm, test_optim,
test_schedulers and test_rnn_utils. Run with a Python that has torch 1.13 or later."""
import math
import os

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

torch.set_num_threads(1)
out = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "nn.inc"), "w")
out.write("// Written by make_nn.py with PyTorch %s. One row per case: name, values in row-major order.\n"
          % torch.__version__)


def put(name, values):
    if isinstance(values, torch.Tensor):
        values = values.detach().double().flatten().tolist()
    out.write('{"%s", {%s}},\n' % (name, ", ".join(repr(float(v)) for v in values)))


def wave(sizes, phase, dtype=torch.float64):
    """The same numbers in the tests: 0.5 sin(phase + 0.37 i)."""
    n = math.prod(sizes)
    return torch.tensor([0.5 * math.sin(phase + 0.37 * i) for i in range(n)], dtype=dtype).reshape(sizes)


def fill(module):
    for k, p in enumerate(module.parameters()):
        p.data = wave(p.shape, 0.7 * k)


# --- first values of parameters, float32 ---
torch.manual_seed(7)
for name, module in [("linear", nn.Linear(3, 2)), ("big_linear", nn.Linear(9, 5)),
                     ("embedding", nn.Embedding(4, 3, padding_idx=1)), ("big_embedding", nn.Embedding(7, 5)),
                     ("lstm_cell", nn.LSTMCell(2, 3)),
                     ("lstm", nn.LSTM(2, 3, num_layers=2, bidirectional=True))]:
    for key, p in module.named_parameters():
        put("init." + name + "." + key, p)
torch.manual_seed(8)
put("init.xavier_uniform", nn.init.xavier_uniform_(torch.empty(4, 3)))
put("init.xavier_normal", nn.init.xavier_normal_(torch.empty(5, 6), gain=1.5))
put("init.kaiming_uniform", nn.init.kaiming_uniform_(torch.empty(4, 3, 2), nonlinearity="relu"))
put("init.kaiming_normal", nn.init.kaiming_normal_(torch.empty(5, 4), a=0.2, mode="fan_out"))
put("init.orthogonal_tall", nn.init.orthogonal_(torch.empty(6, 4)))
put("init.orthogonal_wide", nn.init.orthogonal_(torch.empty(3, 2, 4), gain=2))

# --- LSTM, float64 ---
T, B, I, H = 4, 4, 3, 2
torch.set_default_dtype(torch.float64)


def lstm_case(name, lengths=None, states=False, **kwargs):
    m = nn.LSTM(I, H, **kwargs)
    fill(m)
    D, L = (2 if m.bidirectional else 1), m.num_layers
    x = wave((B, T, I) if m.batch_first else (T, B, I), 2.0).requires_grad_()
    hx = (wave((L * D, B, H), 3.0).requires_grad_(), wave((L * D, B, H), 4.0).requires_grad_()) if states else None
    if lengths is None:
        y, (h, c) = m(x, hx)
    else:
        packed, (h, c) = m(pack_padded_sequence(x, torch.tensor(lengths), m.batch_first, False), hx)
        y, _ = pad_packed_sequence(packed, m.batch_first)
    put(name + ".y", y)
    put(name + ".h", h)
    put(name + ".c", c)
    torch.autograd.backward([y, h, c], [wave(y.shape, 5.0), wave(h.shape, 6.0), wave(c.shape, 7.0)])
    put(name + ".grad.x", x.grad)
    if states:
        put(name + ".grad.h0", hx[0].grad)
        put(name + ".grad.c0", hx[1].grad)
    for key, p in m.named_parameters():
        put(name + ".grad." + key, p.grad)


lstm_case("lstm.plain")
lstm_case("lstm.states", states=True)
lstm_case("lstm.no_bias", states=True, bias=False)
lstm_case("lstm.deep", states=True, num_layers=2, bidirectional=True, batch_first=True)
lstm_case("lstm.packed", lengths=[2, 4, 1, 3], states=True)
lstm_case("lstm.packed_deep", lengths=[2, 4, 1, 2], states=True, num_layers=2, bidirectional=True)

# --- packing ---
p = pack_padded_sequence(wave((4, 3, 2), 1.0), torch.tensor([2, 4, 3]), enforce_sorted=False)
put("pack.data", p.data)
put("pack.batch_sizes", p.batch_sizes)
put("pack.sorted_indices", p.sorted_indices)
put("pack.unsorted_indices", p.unsorted_indices)
y, lengths = pad_packed_sequence(p, padding_value=-1.5, total_length=5)
put("pack.padded", y)
put("pack.lengths", lengths)


# --- optimizers ---
def optimizer_case(name, make):
    a, b = wave((3, 2), 0.3).requires_grad_(), wave((4,), 1.1).requires_grad_()
    optimizer = make([a, b])
    for t in range(1, 101):
        for k, p in enumerate([a, b]):
            p.grad = wave(p.shape, 0.9 * t + k) + 0.1 * p.detach()
        optimizer.step()
        if t in (1, 2, 10, 100):
            put("optim.%s.%d" % (name, t), a.flatten().tolist() + b.tolist())


O = torch.optim
optimizer_case("sgd", lambda p: O.SGD(p, lr=0.05))
optimizer_case("sgd_momentum", lambda p: O.SGD(p, lr=0.05, momentum=0.9, dampening=0.3, weight_decay=0.01))
optimizer_case("sgd_nesterov", lambda p: O.SGD(p, lr=0.05, momentum=0.8, nesterov=True))
optimizer_case("sgd_maximize", lambda p: O.SGD(p, lr=0.01, momentum=0.5, maximize=True))
optimizer_case("adam", lambda p: O.Adam(p, lr=0.01))
optimizer_case("adam_decay", lambda p: O.Adam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1))
optimizer_case("adam_amsgrad", lambda p: O.Adam(p, lr=0.01, amsgrad=True))
optimizer_case("adamw", lambda p: O.AdamW(p, lr=0.01, weight_decay=0.1))
optimizer_case("adamw_amsgrad", lambda p: O.AdamW(p, lr=0.01, amsgrad=True))
optimizer_case("groups", lambda p: O.SGD([{"params": p[:1], "lr": 0.1}, {"params": p[1:], "momentum": 0.5}], lr=0.01))

a, b = wave((3, 2), 0.3).requires_grad_(), wave((4,), 1.1).requires_grad_()
for order in (2.0, 1.0, 3.0, math.inf):
    a.grad, b.grad = wave((3, 2), 2.0), wave((4,), 3.0)
    norm = clip_grad_norm_([a, b], 0.4, order)
    put("clip.%g" % order, [norm] + a.grad.flatten().tolist() + b.grad.tolist())


# --- schedules: rates and momenta of 100 steps ---
def schedule_case(name, make, optimizer=None, steps=100):
    optimizer = optimizer or O.SGD([a], lr=0.5, momentum=0.9)
    scheduler = make(optimizer)
    rates, momenta = [], []
    for _ in range(steps):
        group = optimizer.param_groups[0]
        rates.append(group["lr"])
        momenta.append(group["betas"][0] if "betas" in group else group["momentum"])
        optimizer.step()
        scheduler.step()
    put("schedule.%s.lr" % name, rates)
    put("schedule.%s.momentum" % name, momenta)


S = torch.optim.lr_scheduler
schedule_case("step", lambda o: S.StepLR(o, 7, 0.5))
schedule_case("cosine", lambda o: S.CosineAnnealingLR(o, 30, 0.01))
schedule_case("one_cycle", lambda o: S.OneCycleLR(o, 0.1, total_steps=100))
schedule_case("one_cycle_adam", lambda o: S.OneCycleLR(o, 0.1, total_steps=100), O.Adam([b], lr=0.5))
schedule_case("one_cycle_linear",
              lambda o: S.OneCycleLR(o, 0.1, epochs=10, steps_per_epoch=10, pct_start=0.2, anneal_strategy="linear",
                                     base_momentum=0.8, max_momentum=0.9, div_factor=10, final_div_factor=100))
schedule_case("one_cycle_three",
              lambda o: S.OneCycleLR(o, 0.1, total_steps=100, three_phase=True, cycle_momentum=False))
