#!/usr/bin/env python3
"""Writes modules.inc beside this file: values and gradients that PyTorch gives for the cases of test_losses,
test_norm and test_attention. Run with a Python that has torch 1.13 or later."""
import math
import os

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
out = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "modules.inc"), "w")
out.write("// Written by make_modules.py with PyTorch %s. One row per case: name, values in row-major order.\n"
          % torch.__version__)


def put(name, values):
    if isinstance(values, torch.Tensor):
        values = values.detach().double().flatten().tolist()
    out.write('{"%s", {%s}},\n' % (name, ", ".join(repr(float(v)) for v in values)))


def wave(sizes, phase):
    """The same numbers in the tests: 0.5 sin(phase + 0.37 i)."""
    return torch.tensor([0.5 * math.sin(phase + 0.37 * i) for i in range(math.prod(sizes))],
                        dtype=torch.float64).reshape(sizes)


def fill(module):
    for k, p in enumerate(module.parameters()):
        p.data = wave(p.shape, 0.7 * k)


def case(name, inputs, f, module=None):
    """The result, and the gradients of the inputs and the parameters for the upstream gradient wave(sizes, 9)."""
    x = [t.clone().requires_grad_() for t in inputs]
    y = f(*x)
    put(name, y)
    params = list(module.parameters()) if module else []
    for i, g in enumerate(torch.autograd.grad(y, x + params, wave(y.shape, 9.0))):
        put("%s.grad%d" % (name, i), g)


# --- losses ---
a, b, c = wave((3, 4), 1.0), wave((3, 4), 2.0), wave((3, 4), 3.0)
unit, half = wave((3, 4), 4.0) * 0.9 + 0.5, wave((3, 4), 5.0) * 0.9 + 0.5
sign = torch.where(b > 0, 1.0, -1.0)
row, classes = torch.tensor([1.0, -1.0, 1.0]), torch.tensor([2, 0, 3])
labels = torch.tensor([[1, 3, -1, 0], [0, -1, 2, 3], [3, 2, 1, 0]])
w = wave((4,), 6.0) + 1
for how in ("none", "mean", "sum"):
    n = "." + how
    case("l1" + n, [a, b], lambda x, y: F.l1_loss(x, y, reduction=how))
    case("smooth_l1" + n, [a, b], lambda x, y: F.smooth_l1_loss(x, y, reduction=how, beta=0.4))
    case("huber" + n, [a, b], lambda x, y: F.huber_loss(x, y, reduction=how, delta=0.3))
    case("bce" + n, [unit], lambda x: F.binary_cross_entropy(x, half, w, reduction=how))
    case("bce_logits" + n, [a], lambda x: F.binary_cross_entropy_with_logits(x, half, w, reduction=how))
    case("bce_logits_pos" + n, [a], lambda x: F.binary_cross_entropy_with_logits(x, half, None, reduction=how, pos_weight=w))
    case("kl_div" + n, [a], lambda x: F.kl_div(x, half, reduction=how))
    case("kl_div_log" + n, [a, b], lambda x, y: F.kl_div(x, y, reduction=how, log_target=True))
    case("poisson" + n, [a], lambda x: F.poisson_nll_loss(x, half * 4, reduction=how, full=True))
    case("poisson_plain" + n, [unit], lambda x: F.poisson_nll_loss(x, half, log_input=False, reduction=how))
    case("gaussian" + n, [a, b, unit], lambda x, y, v: F.gaussian_nll_loss(x, y, v, full=True, reduction=how))
    case("soft_margin" + n, [a], lambda x: F.soft_margin_loss(x, sign, reduction=how))
    case("hinge" + n, [a], lambda x: F.hinge_embedding_loss(x, sign, margin=0.3, reduction=how))
    case("cosine_embedding" + n, [a, b], lambda x, y: F.cosine_embedding_loss(x, y, row, margin=0.1, reduction=how))
    case("ranking" + n, [a, b], lambda x, y: F.margin_ranking_loss(x, y, sign, margin=0.2, reduction=how))
    case("multi_margin" + n, [a], lambda x: F.multi_margin_loss(x, classes, margin=0.5, weight=w, reduction=how))
    case("multi_margin2" + n, [a], lambda x: F.multi_margin_loss(x, classes, p=2, reduction=how))
    case("multilabel_margin" + n, [a], lambda x: F.multilabel_margin_loss(x, labels, reduction=how))
    case("multilabel_soft" + n, [a], lambda x: F.multilabel_soft_margin_loss(x, half, w, reduction=how))
    case("triplet" + n, [a, b, c], lambda x, y, z: F.triplet_margin_loss(x, y, z, margin=0.6, swap=True, reduction=how))
    for zero in (False, True):
        case("ctc%d" % zero + n, [wave((6, 3, 4), 1.0) * 3],
             lambda x: F.ctc_loss(x.log_softmax(2), torch.tensor([[1, 1, 2], [3, 1, 2], [2, 0, 0]]),
                                  (6, 5, 4), (3, 2, 1), reduction=how, zero_infinity=zero))
case("ctc_flat", [wave((6, 2, 4), 1.0) * 3],
     lambda x: F.ctc_loss(x.log_softmax(2), torch.tensor([1, 3, 2, 2, 2, 2]), (6, 3), (2, 4), reduction="sum",
                          zero_infinity=True))
case("kl_div.batchmean", [a], lambda x: F.kl_div(x, half, reduction="batchmean"))
case("cosine_similarity", [a, b], lambda x, y: F.cosine_similarity(x, y, 1))
case("pairwise_distance", [a, b], lambda x, y: F.pairwise_distance(x, y, 3.0, 1e-6, True))

# --- norms ---
m = nn.LayerNorm([4, 5])
fill(m)
case("layer_norm", [wave((3, 4, 5), 1.0)], m, m)
case("layer_norm_plain", [wave((3, 37), 1.0)], lambda x: F.layer_norm(x, (37,)))
m = nn.GroupNorm(3, 6)
fill(m)
case("group_norm", [wave((2, 6, 5), 1.0)], m, m)
case("group_norm_flat", [wave((2, 6), 1.0)], m, m)
m = nn.Bilinear(3, 4, 2)
fill(m)
case("bilinear", [wave((5, 3), 1.0), wave((5, 4), 2.0)], m, m)

# --- attention: PyTorch's float masks, since 1.13 warns of others ---
def multihead(name, masks=False, **kwargs):
    m = nn.MultiheadAttention(6, 2, **kwargs)
    fill(m)
    q, k, v = wave((3, 2, 6), 1.0), wave((4, 2, m.kdim), 2.0), wave((4, 2, m.vdim), 3.0)
    mask = wave((3, 4), 4.0) if masks else None
    padding = torch.tensor([[False, False, True, False], [False, True, False, False]]) if masks else None
    case(name, [q, k, v], lambda q, k, v: m(q, k, v, key_padding_mask=padding, attn_mask=mask)[0], m)
    put(name + ".weights", m(q, k, v, key_padding_mask=padding, attn_mask=mask)[1])


multihead("multihead")
multihead("multihead_masks", masks=True)
multihead("multihead_kv", masks=True, kdim=5, vdim=3)
multihead("multihead_bias", masks=True, add_bias_kv=True, add_zero_attn=True)
for first in (False, True):
    m = nn.TransformerEncoderLayer(6, 2, 7, dropout=0.0, activation="gelu", norm_first=first)
    fill(m)
    case("encoder_layer%d" % first, [wave((3, 2, 6), 1.0)], m, m)
    m = nn.TransformerDecoderLayer(6, 2, 7, dropout=0.0, norm_first=first)
    fill(m)
    case("decoder_layer%d" % first, [wave((3, 2, 6), 1.0), wave((4, 2, 6), 2.0)], m, m)
torch.set_default_dtype(torch.float32)
torch.manual_seed(5)
m = nn.Transformer(6, 2, 1, 2, 7, dropout=0.0)
for key, p in m.named_parameters():
    put("transformer.init." + key, p[..., :1])
m = m.double().eval()
put("transformer", m(wave((3, 2, 6), 1.0), wave((4, 2, 6), 2.0),
                     tgt_mask=nn.Transformer.generate_square_subsequent_mask(4).double()))
torch.manual_seed(6)
for name, m in (("bilinear", nn.Bilinear(2, 3, 2)), ("multihead", nn.MultiheadAttention(4, 2, kdim=3, add_bias_kv=True))):
    for key, p in m.named_parameters():
        put("init." + name + "." + key, p)
torch.manual_seed(9)
put("rrelu", F.rrelu(wave((4, 5), 1.0), 0.1, 0.4, training=True))

# --- layers ---
torch.set_default_dtype(torch.float64)
table, ids, starts = wave((6, 3), 1.0), torch.tensor([4, 1, 1, 0, 5, 2, 1]), torch.tensor([0, 3, 3, 6])
for mode in ("sum", "mean", "max"):
    case("bag.%s" % mode, [table], lambda w: F.embedding_bag(ids, w, starts, mode=mode))
    case("bag.%s.padding" % mode, [table], lambda w: F.embedding_bag(ids, w, starts, mode=mode, padding_idx=1))
    case("bag.%s.rows" % mode, [table], lambda w: F.embedding_bag(ids[:6].view(2, 3), w, mode=mode))
    case("bag.%s.last" % mode, [table],
         lambda w: F.embedding_bag(ids, w, torch.tensor([0, 2, 7]), mode=mode, include_last_offset=True))
case("bag.weighted", [table, wave((7,), 2.0)],
     lambda w, s: F.embedding_bag(ids, w, starts, mode="sum", per_sample_weights=s))
# By way of embedding: embedding_bag of 1.13 divides by the count of another row.
case("bag.freq", [table], lambda w: torch.zeros(4, 3).index_add(
    0, torch.tensor([0, 0, 0, 2, 2, 2, 3]), F.embedding(ids, w, scale_grad_by_freq=True)))
renormed = table.clone()
put("bag.max_norm", F.embedding_bag(ids, renormed, starts, mode="sum", max_norm=0.5))
put("bag.max_norm.weight", renormed)
for name, f in (("alpha", torch.alpha_dropout), ("feature", torch.feature_dropout),
                ("feature_alpha", torch.feature_alpha_dropout)):
    torch.manual_seed(3)
    case("dropout." + name, [wave((3, 4, 5), 1.0)], lambda x: f(x, 0.4, True))
case("softmin", [a], lambda x: F.softmin(x, 1))
case("pdist", [wave((5, 3), 1.0)], lambda x: F.pdist(x, 2.0))
case("pdist3", [wave((5, 3), 1.0)], lambda x: F.pdist(x, 3.0))
for bias in (False, True):
    m = nn.AdaptiveLogSoftmaxWithLoss(5, 12, [3, 7, 9], div_value=1.5, head_bias=bias)
    fill(m)
    n = "adaptive%d" % bias
    y = torch.tensor([0, 11, 4, 2, 8, 7, 3])
    case(n, [wave((7, 5), 1.0)], lambda x: m(x, y).output, m)
    put(n + ".loss", [m(wave((7, 5), 1.0), y).loss.item()])
    case(n + ".log_prob", [wave((7, 5), 1.0)], m.log_prob, m)
    put(n + ".predict", m.predict(wave((7, 5), 1.0) * 8))
q = wave((3, 2, 6), 1.0)
m = nn.MultiheadAttention(6, 2)
fill(m)
case("multihead_static", [q, wave((4, 4, 3), 2.0), wave((4, 4, 3), 3.0)],
     lambda q, k, v: F.multi_head_attention_forward(
         q, wave((4, 2, 6), 2.0), wave((4, 2, 6), 3.0), 6, 2, m.in_proj_weight, m.in_proj_bias, None, None, False, 0.0,
         m.out_proj.weight, m.out_proj.bias, static_k=k, static_v=v)[0])
torch.set_default_dtype(torch.float32)
torch.manual_seed(4)
put("init.sparse", nn.init.sparse_(torch.empty(5, 4), 0.3, 0.5))
put("init.dirac", nn.init.dirac_(torch.empty(3, 2, 3, 4)))
torch.manual_seed(4)
m = nn.EmbeddingBag(4, 5, padding_idx=-2)
put("init.bag", m.weight)

# --- weights computed from others ---
torch.set_default_dtype(torch.float64)
for dim in (0, 1, None):
    m = nn.Linear(4, 3)
    fill(m)
    m = nn.utils.weight_norm(m, dim=dim)
    case("weight_norm%s" % dim, [wave((2, 4), 1.0)], m, m)
torch.manual_seed(7)
m = nn.Linear(4, 3)
fill(m)
m = nn.utils.parametrizations.spectral_norm(m, n_power_iterations=2)
for k in range(2):
    case("spectral_norm%d" % k, [wave((2, 4), 1.0)], m, m)
for key in ("_u", "_v"):
    put("spectral_norm." + key, m.state_dict()["parametrizations.weight.0." + key])
m.eval()
case("spectral_norm.eval", [wave((2, 4), 1.0)], m, m)
