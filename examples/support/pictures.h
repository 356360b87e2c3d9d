// Gray pictures in a file that most viewers open.
#pragma once

#include <fstream>
#include <string>

#include "tapir/tapir.h"

/// Writes images (N, 1, H, W), black 0 to white 1, side by side in rows of `columns`, as a PGM file. Throws
/// IOError where it cannot be written.
inline void write_pictures(const std::string& path, const tapir::Tensor& images, int64_t columns) {
  const int64_t n = images.size(0), h = images.size(2), w = images.size(3),
                rows = (n + columns - 1) / columns;
  tapir::Tensor sheet = tapir::zeros({rows * columns, h, w});
  sheet.narrow(0, 0, n).copy_(images.detach().squeeze(1));
  const tapir::Tensor gray = (sheet.view({rows, columns, h, w}).transpose(1, 2).clamp(0, 1) * 255)
                                 .round()
                                 .to(tapir::kUInt8)
                                 .contiguous();
  std::ofstream out(path, std::ios::binary);
  out << "P5 " << columns * w << " " << rows * h << " 255\n";
  out.write(reinterpret_cast<const char*>(gray.data_ptr<uint8_t>()), gray.numel());
  if (!out.flush()) throw tapir::IOError("cannot write " + path);
}
