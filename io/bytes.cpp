#include "tapir/io/bytes.h"

#include <cstdint>
#include <cstring>
#include <istream>
#include <string>

#include "tapir/io/file.h"
#include "tapir/tensor/error_format.h"

namespace tapir::io {

Bytes allocate_bytes(size_t size) {
  auto storage = std::make_shared<Ref<StorageImpl>>(StorageImpl::make(size, kCPU));
  std::byte* const data = (*storage)->data();
  return {data, size, std::move(storage)};
}

Bytes map_file(const std::string& path, const char* op) {
  auto map = MappedFile::open(path, op);
  std::byte* const data = map->data();
  const size_t size = map->size();
  return {data, size, std::move(map)};
}

Bytes read_stream(std::istream& stream, const char* op) {
  std::string text;
  char block[1 << 16];
  while (stream.read(block, sizeof(block)), stream.gcount() > 0)
    text.append(block, static_cast<size_t>(stream.gcount()));
  TAPIR_CHECK_AS(IOError, !stream.bad(), "{}: cannot read the stream", op);
  Bytes bytes = allocate_bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.data, text.data(), text.size());
  return bytes;
}

Ref<StorageImpl> storage_over(const Bytes& bytes, size_t alignment) {
  if (bytes.size == 0 || reinterpret_cast<uintptr_t>(bytes.data) % alignment != 0) {
    auto storage = StorageImpl::make(bytes.size, kCPU);
    if (bytes.size > 0) std::memcpy(storage->data(), bytes.data, bytes.size);
    return storage;
  }
  return StorageImpl::wrap(bytes.data, bytes.size, kCPU, [keep = bytes.keep](void*) {});
}

}  // namespace tapir::io
