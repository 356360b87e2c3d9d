#!/usr/bin/env python3
"""Makes python.safetensors, which test_safetensors.cpp reads, with the safetensors package from PyPI (and numpy).

    python3 tests/oracle/make_safetensors.py tests/oracle/python.safetensors
    python3 tests/oracle/make_safetensors.py --check FILE    checks what Tapir wrote:
        TAPIR_OUT=FILE test_safetensors "[.write]"
"""
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

DTYPES = {'u8': np.uint8, 'i8': np.int8, 'i16': np.int16, 'i32': np.int32, 'i64': np.int64, 'f16': np.float16,
          'f32': np.float32, 'f64': np.float64, 'bool': np.bool_}


def values():
    """name -> (2, 3) with 0, 1, 2, ... (bool: odd or not)"""
    result = {name: np.arange(6).reshape(2, 3).astype(np.uint8 if name == 'bool' else dtype)
              for name, dtype in DTYPES.items()}
    result['bool'] = (result['bool'] % 2).astype(np.bool_)
    result['scalar'] = np.array(2.5)
    result['empty'] = np.zeros((0, 4), np.float32)
    return result


if sys.argv[1] == '--check':
    found, expected = load_file(sys.argv[2]), values()
    assert set(found) == set(expected), set(found) ^ set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape, name
        assert (found[name] == array).all(), name
    with safe_open(sys.argv[2], 'np') as f:
        assert f.metadata() == {'format': 'tapir', 'note': 'à "b"\n'}, f.metadata()
    print('as expected')
else:
    save_file(values(), sys.argv[1], {'format': 'pt', 'note': 'from Python'})
