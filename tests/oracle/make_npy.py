#!/usr/bin/env python3
"""Makes the files of NumPy's formats that test_npy.cpp reads, in tests/oracle/npy/.

    python3 tests/oracle/make_npy.py
    python3 tests/oracle/make_npy.py --check FILE.npz    checks what Tapir wrote: TAPIR_OUT=FILE.npz test_npy "[.write]"
"""
import os
import sys

import numpy as np
from numpy.lib import format as npy

DTYPES = {'uint8': 'u1', 'int8': 'i1', 'int16': 'i2', 'int32': 'i4', 'int64': 'i8', 'float16': 'f2', 'float32': 'f4',
          'float64': 'f8', 'bool': '?'}


def values():
    """name -> (2, 3) with 0, 1, 2, ... (bool: odd or not)"""
    result = {}
    for name, code in DTYPES.items():
        counting = np.arange(6).reshape(2, 3)
        result[name] = (counting % 2 == 1) if name == 'bool' else counting.astype('<' + code)
    result['scalar'] = np.array(2.5)
    result['empty'] = np.zeros((0, 4), np.float32)
    result['one'] = np.array([7], np.int16)
    return result


def raw(name, array, version=None):
    with open(os.path.join(folder, name), 'wb') as f:
        npy.write_array(f, array, version=version)


folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'npy')
if len(sys.argv) > 1:
    found = np.load(sys.argv[2])
    expected = values()
    assert list(found) == list(expected), list(found)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape, name
        assert (found[name] == array).all(), name
    print('as expected')
    sys.exit()

os.makedirs(folder, exist_ok=True)
everything = values()
for name in DTYPES:
    everything['big_' + name] = everything[name].astype(everything[name].dtype.newbyteorder('>'))
everything['fortran'] = np.asfortranarray(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
everything['big_fortran'] = np.asfortranarray(np.arange(6, dtype='>i4').reshape(3, 2))
np.savez(os.path.join(folder, 'stored.npz'), **everything)
np.savez_compressed(os.path.join(folder, 'deflated.npz'), **everything)
for major in 1, 2, 3:
    raw('version%d.npy' % major, np.arange(6, dtype=np.float32).reshape(2, 3), (major, 0))
refused = {'uint16': np.zeros(2, np.uint16), 'complex': np.zeros(2, np.complex64), 'text': np.array(['a', 'bc']),
           'bytes': np.array([b'a']), 'times': np.zeros(1, 'M8[s]'), 'records': np.zeros(1, [('a', 'f4'), ('b', 'i4')]),
           'longdouble': np.zeros(1, np.longdouble)}
for name, array in refused.items():
    raw('refused_%s.npy' % name, array)
with open(os.path.join(folder, 'refused_objects.npy'), 'wb') as f:
    npy.write_array(f, np.array([None, {}], object), allow_pickle=True)
