// Zip archives: what .npz files and PyTorch's checkpoints are.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tapir/io/bytes.h"

namespace tapir::io {

/// Reads an archive in memory, zip64 included. Every number of the file is checked before it is used: members
/// lie within the file and apart from each other, no name comes twice, and a member takes no more memory than
/// its compressed bytes can make. Encrypted and split archives, and methods other than stored and deflate,
/// are refused. Whatever is wrong is an IOError that begins with "op: label".
class TAPIR_API ZipReader {
 public:
  struct Member {
    std::string name;
    size_t begin = 0;   ///< where its data begins in the file
    size_t stored = 0;  ///< bytes it takes there
    size_t size = 0;    ///< bytes it has
    uint32_t crc = 0;
    bool deflated = false;
  };

  ZipReader(Bytes file, const char* op, std::string label);
  /// In the order of the archive's directory, without folders.
  const std::vector<Member>& members() const { return members_; }
  /// Null where there is none of that name.
  const Member* find(const std::string& name) const;
  /// The member's bytes: a part of the file's where it is stored, else inflated. Checks its CRC-32.
  Bytes read(const Member& member) const;
  /// What messages about a member begin with: the op, the file and the member's name.
  std::string where(std::string_view name) const;
  /// Throws an IOError about the member of that name.
  [[noreturn]] void fail(std::string_view name, const std::string& what) const;

 private:
  [[noreturn]] void fail(const std::string& what) const;
  uint64_t number(size_t at, int bytes) const;
  void read_directory(size_t begin, size_t end, uint64_t count);
  void check_places() const;
  Bytes file_;
  const char* op_;
  std::string label_;
  std::vector<Member> members_;
  std::map<std::string, size_t> places_;
};

/// Writes an archive from front to back.
class TAPIR_API ZipWriter {
 public:
  using Sink = std::function<void(const void* data, size_t bytes)>;
  explicit ZipWriter(Sink sink) : sink_(std::move(sink)) {}
  /// A member made of the pieces, one after the other. What is stored uncompressed begins at a multiple
  /// of 64. Names must differ, and be no longer than 65535 bytes; the caller checks that.
  void add(const std::string& name, std::span<const std::span<const std::byte>> pieces, bool compress);
  void add(const std::string& name, std::string_view content);
  /// Writes the directory; nothing may follow.
  void finish();

 private:
  struct Written {
    std::string name;
    uint64_t begin, stored, size;
    uint32_t crc;
    uint16_t method;
  };
  void write(std::string_view bytes);
  Sink sink_;
  uint64_t at_ = 0;
  std::vector<Written> written_;
};

/// Text of an unknown file, short and printable enough for a message.
TAPIR_API std::string shown(std::string_view text);

}  // namespace tapir::io
