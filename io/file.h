// Files read through memory maps, and files that are replaced all at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "tapir/tensor/macros.h"

namespace tapir::io {

/// A file's bytes in memory. They may be written to; that changes this process's copy of the page, never the
/// file. The file must not be cut short meanwhile (replacing it, as AtomicFile does, is fine).
class TAPIR_API MappedFile {
 public:
  /// Throws IOError with `op` and the path where it cannot be opened or is no regular file.
  static std::shared_ptr<MappedFile> open(const std::string& path, const char* op);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  MappedFile(std::byte* data, size_t size) : data_(data), size_(size) {}
  std::byte* data_;
  size_t size_;
};

/// Writes a file so that its path shows the old content or the whole new one, never a part: into a new file
/// in the same folder, which is synced to the disk and then renamed. Without commit() nothing changes. A
/// symbolic link is followed, also one to a file that is not there yet. What is no regular file, such as a
/// pipe or /dev/null, is not replaced but written into.
class TAPIR_API AtomicFile {
 public:
  /// Throws IOError with `op` and the path, as write and commit do.
  AtomicFile(const std::string& path, const char* op);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(const void* data, size_t bytes);
  void commit();

 private:
  [[noreturn]] void fail(const char* what);
  std::string path_, temporary_;
  const char* op_;
  int fd_ = -1;
  bool direct_ = false;
};

}  // namespace tapir::io
