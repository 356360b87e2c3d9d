// What fuzz targets share.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "tapir/tensor/tensor.h"

namespace fuzz {

inline std::string text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}
inline std::istringstream stream(const uint8_t* data, size_t size) {
  return std::istringstream(text(data, size));
}

/// Reads both ends of a tensor's memory, so that a sanitizer sees an address outside of it.
inline void touch(const tapir::Tensor& t) {
  const tapir::Layout& l = t.layout_of();
  if (l.numel == 0) return;
  int64_t last = 0;
  for (int64_t d = 0; d < l.dim(); ++d) last += (l.sizes[d] - 1) * l.strides[d];
  const volatile unsigned char* bytes = static_cast<const unsigned char*>(t.data_ptr());
  static_cast<void>(bytes[0]);
  static_cast<void>(bytes[(last + 1) * static_cast<int64_t>(t.itemsize()) - 1]);
}

/// Stops the program, as a finding.
inline void require(bool fact) {
  if (!fact) std::abort();
}

/// A file in memory, for loaders that take a path.
class File {
 public:
  File(const uint8_t* data, size_t size) : fd_(::memfd_create("fuzz", 0)) {
    while (size > 0) {
      const ssize_t n = ::write(fd_, data, size);
      require(n > 0);
      data += n;
      size -= static_cast<size_t>(n);
    }
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

}  // namespace fuzz
