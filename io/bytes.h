// Bytes in memory that someone keeps alive, and tensors that show them.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <memory>
#include <string>

#include "tapir/tensor/storage.h"

namespace tapir::io {

/// `size` bytes at `data`, valid for as long as `keep` is held. They may be written to.
struct Bytes {
  std::byte* data = nullptr;
  size_t size = 0;
  std::shared_ptr<void> keep;

  /// The `n` bytes from `begin`, which must lie within these.
  Bytes part(size_t begin, size_t n) const { return {data + begin, n, keep}; }
};

/// New, uninitialised memory, aligned for any dtype.
TAPIR_API Bytes allocate_bytes(size_t size);
/// A file's memory map: writing changes this process's copy of a page, never the file. Throws IOError with
/// `op`.
TAPIR_API Bytes map_file(const std::string& path, const char* op);
/// All that follows in the stream. Throws IOError with `op`.
TAPIR_API Bytes read_stream(std::istream& stream, const char* op);
/// A storage that shows the bytes; a copy of them where their address is no multiple of `alignment`.
TAPIR_API Ref<StorageImpl> storage_over(const Bytes& bytes, size_t alignment);

}  // namespace tapir::io
