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
save('legacy', {'a': torch.ones(2)}, _use_new_zipfile_serialization=False)
torch.jit.script(torch.nn.Linear(2, 2)).save(os.path.join(folder, 'script.pt'))
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
