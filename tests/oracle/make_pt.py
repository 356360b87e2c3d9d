#!/usr/bin/env python3
"""Makes the files of torch.save that test_pt.cpp reads, in tests/oracle/pt/ (made with PyTorch 1.13).

    python3 tests/oracle/make_pt.py
    python3 tests/oracle/make_pt.py --check FILE    checks what Tapir wrote: TAPIR_OUT=FILE test_pt "[.write]"
"""
import collections
import os
import pickle
import sys

import torch

DTYPES = ['uint8', 'int8', 'int16', 'int32', 'int64', 'float16', 'float32', 'float64', 'bool', 'bfloat16']


def counting(dtype):
    """(2, 3) with 0, 1, 2, ... (bool: odd or not)"""
    x = torch.arange(6).reshape(2, 3)
    return x % 2 == 1 if dtype == 'bool' else x.to(getattr(torch, dtype))


def model():
    torch.manual_seed(1)
    return torch.nn.Sequential(collections.OrderedDict(
        fc=torch.nn.Linear(3, 4), rnn=torch.nn.LSTM(4, 2, bidirectional=True), norm=torch.nn.BatchNorm1d(4)))


def everything():
    base = torch.arange(12, dtype=torch.float32)
    shared = [1, 2]
    return {
        'tensors': {d: counting(d) for d in DTYPES},
        'transposed': torch.arange(6, dtype=torch.float32).reshape(2, 3).t(),
        'base': base, 'part': base[2:8:2], 'square': base.view(3, 4)[1:, 1:3],
        'expanded': torch.tensor([5.0]).expand(2, 3),
        'scalar': torch.tensor(2.5, dtype=torch.float64), 'empty': torch.zeros(0, 4),
        'parameter': torch.nn.Parameter(torch.ones(2)), 'requires': torch.ones(2, requires_grad=True),
        'none': None, 'yes': True, 'no': False, 'text': 'à "b"\n', 'real': -0.1, 'infinite': float('inf'),
        'integers': [0, 1, -1, 255, 256, 65535, 65536, -2**31, 2**31, 2**63 - 1, -2**63],
        'tuple': (1, (2, 'x'), []), 'nested': [[[{}]]], 'shared': [shared, shared],
        'ordered': collections.OrderedDict([('b', 1), ('a', 2)]), 'size': torch.Size([2, 3]), 5: 'by number',
    }


class System:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Mine:
    pass


if len(sys.argv) > 1:
    found = torch.load(sys.argv[2])
    for d in DTYPES:
        assert found['tensors'][d].dtype == getattr(torch, d) and torch.equal(found['tensors'][d], counting(d)), d
    assert found['base'].storage().data_ptr() == found['part'].storage().data_ptr()
    assert found['part'].tolist() == [2, 4, 6], found['part']
    assert found['scalar'].shape == () and found['scalar'].item() == 2.5
    assert found['empty'].shape == (0, 4)
    assert found['requires'].requires_grad and not found['base'].requires_grad
    assert found['plain'] == [None, True, 3, 2**40, -0.5, 'à', (1, 2), {'k': [1.5], 7: 'seven'}], found['plain']
    model().load_state_dict(found['model'])
    print('as expected')
    sys.exit()

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'pt')
os.makedirs(folder, exist_ok=True)


def save(name, value, **how):
    torch.save(value, os.path.join(folder, name + '.pt'), **how)


save('everything', everything())
save('everything_protocol4', everything(), pickle_protocol=4)
net = model()
save('state_dict', net.state_dict())
optimizer = torch.optim.Adam(net.fc.parameters(), lr=0.5)
net.fc(torch.ones(1, 3)).sum().backward()
optimizer.step()
save('training', {'model': net.fc.state_dict(), 'optimizer': optimizer.state_dict(), 'epoch': 3})
save('legacy', everything(), _use_new_zipfile_serialization=False)
save('tensor', torch.arange(6, dtype=torch.float32).reshape(2, 3).t())
save('tensor_legacy', torch.ones(2, requires_grad=True), _use_new_zipfile_serialization=False)
base = torch.arange(12, dtype=torch.float32)
save('list', [base, base[2:8:2], torch.tensor(2.5, dtype=torch.float64), torch.zeros(0, 4), torch.ones(1, requires_grad=True)])
save('tuple', (torch.arange(3), torch.tensor([True, False])))
save('mixed', [torch.ones(1), 'x'])


def optimizer(name, cls, **options):
    """The state after two steps over parameters w (2, 3) and b (2,) in two groups, with gradients of 1 and then 2; and
    the parameters after a third step with gradients of 3."""
    w, b = torch.nn.Parameter(torch.ones(2, 3)), torch.nn.Parameter(torch.zeros(2))
    o = cls([{'params': [w]}, {'params': [b], 'lr': 0.25}], **options)
    for grad in 1, 2, 3:
        w.grad, b.grad = torch.full((2, 3), float(grad)), torch.full((2,), float(grad))
        o.step()
        if grad == 2:
            save('optimizer_' + name, o.state_dict())
            before = [w.detach().clone(), b.detach().clone()]
    save('optimizer_' + name + '_steps', before + [w.detach(), b.detach()])


optimizer('sgd', torch.optim.SGD, lr=0.5, momentum=0.9, nesterov=True)
optimizer('adam', torch.optim.Adam, lr=0.5, amsgrad=True, betas=(0.8, 0.95))
optimizer('rprop', torch.optim.Rprop, lr=0.5, etas=(0.4, 1.3))
optimizer('asgd', torch.optim.ASGD, lr=0.5, t0=1.0)
plain = torch.nn.Parameter(torch.ones(2))
lbfgs = torch.optim.LBFGS([plain])
lbfgs.step(lambda: (lbfgs.zero_grad(), (plain ** 2).sum().backward(), torch.tensor(1.0))[2])
save('optimizer_lbfgs', lbfgs.state_dict())
torch.jit.script(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.BatchNorm1d(2))).save(
    os.path.join(folder, 'script.pt'))
# libtorch_*.pt are made by make_libtorch.cpp.
recursive = []
recursive.append(recursive)
save('refused_recursive', recursive)
save('refused_system', [torch.ones(1), System(os.system, 'echo executed > /tmp/tapir-executed')])
save('refused_eval', System(eval, '1'))
save('refused_getattr', System(getattr, torch.ones(1), 'numpy'))
save('refused_class', {'model': Mine()})
save('refused_module', torch.nn.Linear(1, 1))
save('refused_complex', torch.zeros(1, dtype=torch.complex64))
save('refused_set', {1, 2})
save('refused_bytes', b'ab')
save('refused_long', 2**64)
deep = []
for _ in range(400):
    deep = [deep]
save('refused_deep', deep)
