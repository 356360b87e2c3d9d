#!/usr/bin/env python3
"""Writes models.inc beside this file: what torchvision's networks are for a seed, for test_models. Run with a Python
that has torchvision 0.14 or later (Debian: python3-torchvision)."""
import os

import torch
import torchvision

torch.set_num_threads(2)
out = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "models.inc"), "w")
out.write("// Written by make_models.py with torchvision %s. One row per case: name, values.\n" % torchvision.__version__)


def put(name, values):
    out.write('{"%s", {%s}},\n' % (name, ", ".join(repr(float(v)) for v in values)))


def fingerprint(text):
    """FNV-1a, 32 bits."""
    h = 2166136261
    for c in text.encode():
        h = (h ^ c) * 16777619 % 2**32
    return h


def case(name, gradients=True):
    torch.manual_seed(5)
    model = getattr(torchvision.models, name)(num_classes=10)
    state = model.state_dict()
    put(name + ".state", [len(state), sum(t.numel() for t in state.values()),
                          sum(fingerprint("%s %s" % (k, list(t.shape))) for k, t in state.items())])
    put(name + ".drawn", sorted(p.double().sum().item() for p in model.parameters()))
    model = model.double()
    x = (torch.arange(2 * 3 * 64 * 64) * 0.37).double().sin().reshape(2, 3, 64, 64)
    model.eval()
    put(name + ".logits", model(x).flatten())
    if not gradients:
        return
    model.train()
    for m in model.modules():
        if isinstance(m, torch.nn.Dropout):
            m.p = 0
    y = model(x)
    y.square().sum().backward()
    put(name + ".training", y.flatten())
    put(name + ".gradients", sorted(p.grad.abs().sum().item() for p in model.parameters()))
    model.eval()
    put(name + ".moved", model(x).flatten())  # by the running statistics


for name in ("alexnet", "vgg11_bn", "resnext50_32x4d"):
    case(name, False)
for name in ("resnet18", "mobilenet_v2"):
    case(name)
