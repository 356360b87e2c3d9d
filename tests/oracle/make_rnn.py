#!/usr/bin/env python3
"""Writes rnn.txt beside this file: what PyTorch gives for the cases of test_rnn and test_rnn_cell. Run with a Python
that has torch 1.13 or later."""
import math
import os

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.set_num_threads(1)
out = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "rnn.txt"), "w")
out.write("# Written by make_rnn.py with PyTorch %s. One row per case: name, values in row-major order.\n"
          % torch.__version__)


def put(name, values):
    if isinstance(values, torch.Tensor):
        values = values.detach().double().flatten().tolist()
    out.write(" ".join([name] + [repr(float(v)) for v in values]) + "\n")


def wave(sizes, phase):
    """The same numbers in the tests: 0.5 sin(phase + 0.37 i)."""
    n = math.prod(sizes)
    return torch.tensor([0.5 * math.sin(phase + 0.37 * i) for i in range(n)], dtype=torch.float64).reshape(sizes)


def fill(module):
    for k, p in enumerate(module.parameters()):
        p.data = wave(p.shape, 0.7 * k)


# --- first values of parameters, float32 ---
torch.manual_seed(9)
for name, module in [("gru_cell", nn.GRUCell(2, 3)), ("rnn_cell", nn.RNNCell(3, 2, bias=False)),
                     ("gru", nn.GRU(2, 3, num_layers=2, bidirectional=True)), ("rnn", nn.RNN(2, 3, bias=False)),
                     ("lstm_proj", nn.LSTM(2, 4, num_layers=2, bidirectional=True, proj_size=3))]:
    for key, p in module.named_parameters():
        put("init." + name + "." + key, p)
    put("init." + name + ".count", [len(module.state_dict())])

torch.set_default_dtype(torch.float64)
T, B, I, H = 4, 4, 3, 3


# --- cells ---
def cell_case(name, cell, state):
    fill(cell)
    x, h = wave((B, I), 2.0).requires_grad_(), wave((B, H), 3.0).requires_grad_()
    y = cell(x, h) if state else cell(x)
    put(name + ".y", y)
    y.backward(wave(y.shape, 5.0))
    put(name + ".grad.x", x.grad)
    if state:
        put(name + ".grad.h", h.grad)
    for key, p in cell.named_parameters():
        put(name + ".grad." + key, p.grad)


for name, make in [("gru", nn.GRUCell), ("rnn_tanh", nn.RNNCell),
                   ("rnn_relu", lambda *a, **k: nn.RNNCell(*a, nonlinearity="relu", **k))]:
    cell_case(name + "_cell.plain", make(I, H), False)
    cell_case(name + "_cell.state", make(I, H), True)
    cell_case(name + "_cell.no_bias", make(I, H, bias=False), True)


# --- layers ---
def layer_case(name, m, lengths=None, states=False, one=False, seed=None):
    fill(m)
    D, L, P = (2 if m.bidirectional else 1), m.num_layers, (m.proj_size or m.hidden_size)
    batch = () if one else (B,)
    x = wave((T, I) if one else (B, T, I) if m.batch_first else (T, B, I), 2.0).requires_grad_()
    h0 = wave((L * D,) + batch + (P,), 3.0).requires_grad_()
    c0 = wave((L * D,) + batch + (m.hidden_size,), 4.0).requires_grad_()
    is_lstm = m.mode == "LSTM"
    hx = None if not states else (h0, c0) if is_lstm else h0
    if seed is not None:
        torch.manual_seed(seed)
    if lengths is None:
        y, last = m(x, hx)
    else:
        packed, last = m(pack_padded_sequence(x, torch.tensor(lengths), m.batch_first, False), hx)
        y, _ = pad_packed_sequence(packed, m.batch_first)
    ends = list(last) if is_lstm else [last]
    put(name + ".y", y)
    for key, end in zip("hc", ends):
        put(name + "." + key, end)
    torch.autograd.backward([y] + ends, [wave(t.shape, 5.0 + k) for k, t in enumerate([y] + ends)])
    put(name + ".grad.x", x.grad)
    if states:
        put(name + ".grad.h0", h0.grad)
        if is_lstm:
            put(name + ".grad.c0", c0.grad)
    for key, p in m.named_parameters():
        put(name + ".grad." + key, p.grad)


for name, make in [("gru", nn.GRU), ("rnn_tanh", nn.RNN),
                   ("rnn_relu", lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k)),
                   ("lstm", nn.LSTM), ("lstm_proj", lambda *a, **k: nn.LSTM(*a, proj_size=2, **k))]:
    layer_case("layer." + name + ".plain", make(I, H))
    layer_case("layer." + name + ".states", make(I, H), states=True)
    layer_case("layer." + name + ".no_bias", make(I, H, bias=False, bidirectional=True), states=True)
    layer_case("layer." + name + ".deep", make(I, H, num_layers=2, bidirectional=True, batch_first=True), states=True)
    layer_case("layer." + name + ".one", make(I, H, num_layers=2), states=True, one=True)
    layer_case("layer." + name + ".dropout", make(I, H, num_layers=3, bidirectional=True, batch_first=True, dropout=0.4), seed=3)
    layer_case("layer." + name + ".packed", make(I, H), [2, 4, 1, 3], states=True)
    layer_case("layer." + name + ".packed_no_states", make(I, H, bidirectional=True, batch_first=True), [2, 4, 1, 3])
    layer_case("layer." + name + ".packed_deep", make(I, H, num_layers=2, bidirectional=True, dropout=0.3), [2, 4, 1, 2],
               states=True, seed=4)
