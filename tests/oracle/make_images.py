#!/usr/bin/env python3
"""Makes the images that test_images.cpp reads and what Pillow makes of them (values.npz), in tests/oracle/images/.

    python3 tests/oracle/make_images.py
"""
import os
import struct
import zlib

import numpy as np
from PIL import Image

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'images')
os.makedirs(folder, exist_ok=True)
values = {}
y, x = np.mgrid[0:11, 0:17]
rgb = np.stack([x * 15, y * 23, (x * y * 7) % 256], -1).astype(np.uint8)
alpha = np.full((11, 17, 1), 255, np.uint8)
alpha[3:6, 4:9] = 60


def keep(file, mode):
    image = Image.open(os.path.join(folder, file))
    array = np.array(image.convert(mode) if mode else image)
    values[file + ('.' + mode if mode else '')] = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def save(file, image, modes, **how):
    image.save(os.path.join(folder, file), **how)
    for mode in modes:
        keep(file, mode)


color = Image.fromarray(rgb)
save('rgb.png', color, ['RGB', 'L'])
save('rgba.png', Image.fromarray(np.concatenate([rgb, alpha], -1)), ['RGBA', 'RGB'])
save('gray.png', color.convert('L'), ['L', 'RGB'])
save('gray_alpha.png', Image.fromarray(np.concatenate([rgb[:, :, :1], alpha], -1), 'LA'), ['LA', 'L'])
save('palette.png', color.convert('P', palette=Image.ADAPTIVE, colors=16), ['RGB'])
save('bits.png', color.convert('1'), ['L'])
save('rgb.jpg', color, ['RGB'], quality=80)
save('progressive.jpg', color, ['RGB'], quality=90, progressive=True, subsampling=0)
save('gray.jpg', color.convert('L'), ['L', 'RGB'])
save('cmyk.jpg', color.convert('CMYK'), ['RGB'])


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


# 16 bits, of which 8 are left: round(v * 255 / 65535).
deep = (np.arange(6, dtype=np.uint16).reshape(2, 3) * 13000)
raw = b''.join(b'\0' + row.astype('>u2').tobytes() for row in deep)
with open(os.path.join(folder, 'deep.png'), 'wb') as f:
    f.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 3, 2, 16, 0, 0, 0, 0)) +
            chunk(b'IDAT', zlib.compress(raw)) + chunk(b'IEND', b''))
values['deep.png'] = np.rint(deep * 255.0 / 65535).astype(np.uint8)[None]

# Seven passes of Adam7 over 4 by 4 pixels, each a filter byte and its pixels for each row.
adam = np.arange(16, dtype=np.uint8).reshape(4, 4) * 10
passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
raw = b''.join(b'\0' + row.tobytes() for y0, x0, dy, dx in passes for row in adam[y0::dy, x0::dx] if row.size)
with open(os.path.join(folder, 'interlaced.png'), 'wb') as f:
    f.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 4, 4, 8, 0, 0, 0, 1)) +
            chunk(b'IDAT', zlib.compress(raw)) + chunk(b'IEND', b''))
values['interlaced.png'] = adam[None]
keep('interlaced.png', 'L')
assert (values['interlaced.png.L'] == values['interlaced.png']).all()

for height, width in (5, 8), (22, 34), (11, 40), (1, 1), (30, 3):
    array = np.array(color.resize((width, height), Image.BILINEAR))
    values['resize %d %d' % (height, width)] = array.transpose(2, 0, 1)
np.savez_compressed(os.path.join(folder, 'values.npz'), **values)
