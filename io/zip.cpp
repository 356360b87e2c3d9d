#include "tapir/io/zip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "tapir/tensor/error_format.h"

namespace tapir::io {

namespace {

// The fields of APPNOTE.TXT, PKWARE's description of the format.
constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kLocator64 = 0x07064b50;
constexpr size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20;
constexpr uint16_t kStored = 0, kDeflated = 8, kExtra64 = 1, kPadding = 0xd935;
constexpr uint64_t kMax16 = 0xffff, kMax32 = 0xffffffff;
constexpr size_t kAlignment = 64;
// Deflate makes at most 1032 bytes of one.
constexpr uint64_t kMaxRatio = 1032;

struct Inflater {
  z_stream stream{};
  ~Inflater() { inflateEnd(&stream); }
};
struct Deflater {
  z_stream stream{};
  ~Deflater() { deflateEnd(&stream); }
};

constexpr size_t kStep = size_t{1} << 30;  // zlib counts in 32 bits

void append(std::string& out, uint64_t value, int bytes) {
  for (; bytes > 0; --bytes, value >>= 8) out += static_cast<char>(value & 0xff);
}

}  // namespace

std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 100))
    out += static_cast<uint8_t>(c) < 0x20 || c == 0x7f ? fmt::format("\\x{:02x}", static_cast<uint8_t>(c))
                                                       : std::string(1, c);
  return text.size() > 100 ? out + "..." : out;
}

void ZipReader::fail(const std::string& what) const { throw_error<IOError>("{}: {}: {}", op_, label_, what); }
std::string ZipReader::where(std::string_view name) const {
  return fmt::format("{}: {}, \"{}\"", op_, label_, shown(name));
}
void ZipReader::fail(std::string_view name, const std::string& what) const {
  throw_error<IOError>("{}: {}", where(name), what);
}

// Callers have checked that the bytes are there.
uint64_t ZipReader::number(size_t at, int bytes) const {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i)
    value = value << 8 | std::to_integer<uint64_t>(file_.data[at + static_cast<size_t>(i)]);
  return value;
}

ZipReader::ZipReader(Bytes file, const char* op, std::string label)
    : file_(std::move(file)), op_(op), label_(std::move(label)) {
  const size_t size = file_.size;
  if (size < kEndSize) fail(fmt::format("the file has {} bytes, too few for a zip archive", size));
  // The end record is the last thing in the file but for a comment of up to 65535 bytes.
  size_t end = size - kEndSize;
  const size_t first = end > kMax16 ? end - kMax16 : 0;
  while (number(end, 4) != kEnd || number(end + 20, 2) != size - end - kEndSize) {
    if (end == first) fail("there is no end of a zip archive: it is none, or was cut short");
    --end;
  }
  uint64_t disk = number(end + 4, 2), count = number(end + 10, 2), length = number(end + 12, 4),
           begin = number(end + 16, 4);
  size_t limit = end;
  if (end >= kLocator64Size && number(end - kLocator64Size, 4) == kLocator64) {
    const uint64_t at = number(end - kLocator64Size + 8, 8);
    limit = end - kLocator64Size;
    if (limit < kEnd64Size || at > limit - kEnd64Size || number(static_cast<size_t>(at), 4) != kEnd64)
      fail("its zip64 record is not where it says");
    limit = static_cast<size_t>(at);
    disk = number(limit + 16, 4);
    count = number(limit + 32, 8);
    length = number(limit + 40, 8);
    begin = number(limit + 48, 8);
  }
  if (disk != 0) fail("it is split over several files");
  if (begin > limit || length > limit - begin)
    fail(fmt::format("its directory of {} bytes at {} does not lie in the file", length, begin));
  if (count > length / kCentralSize)
    fail(fmt::format("a directory of {} bytes cannot list {} members", length, count));
  read_directory(static_cast<size_t>(begin), static_cast<size_t>(begin + length), count);
  check_places();
}

void ZipReader::read_directory(size_t at, size_t end, uint64_t count) {
  const size_t limit = at;  // members lie before their directory
  for (uint64_t i = 0; i < count; ++i) {
    if (end - at < kCentralSize || number(at, 4) != kCentral)
      fail(fmt::format("its directory breaks off at member {} of {}", i, count));
    const uint64_t flags = number(at + 8, 2), method = number(at + 10, 2);
    uint64_t stored = number(at + 20, 4), size = number(at + 24, 4), header = number(at + 42, 4);
    const size_t name_size = number(at + 28, 2), extra_size = number(at + 30, 2),
                 comment_size = number(at + 32, 2);
    const uint32_t crc = static_cast<uint32_t>(number(at + 16, 4));
    if (end - at - kCentralSize < name_size + extra_size + comment_size)
      fail(fmt::format("its directory breaks off at member {} of {}", i, count));
    const std::string name(reinterpret_cast<const char*>(file_.data) + at + kCentralSize, name_size);

    // Numbers that don't fit 32 bits are in an extra field, in this order.
    size_t extra = at + kCentralSize + name_size;
    const size_t extra_end = extra + extra_size;
    while (extra_end - extra >= 4) {
      const uint64_t id = number(extra, 2);
      size_t left = number(extra + 2, 2);
      extra += 4;
      if (left > extra_end - extra) fail(name, "its extra field breaks off");
      const size_t next = extra + left;
      if (id == kExtra64)
        for (uint64_t* value : {&size, &stored, &header})
          if (*value == kMax32 && left >= 8) {
            *value = number(extra, 8);
            extra += 8;
            left -= 8;
          }
      extra = next;
    }
    at = extra_end + comment_size;

    if (flags & 1) fail(name, "it is encrypted");
    if (method != kStored && method != kDeflated)
      fail(name, fmt::format("it is compressed by method {}; Tapir reads 0, stored, and 8, deflate", method));
    if (header > limit || limit - header < kLocalSize || number(static_cast<size_t>(header), 4) != kLocal)
      fail(name, fmt::format("there is no member at {}", header));
    const size_t local = static_cast<size_t>(header);
    const size_t skip = kLocalSize + number(local + 26, 2) + number(local + 28, 2);
    if (number(local + 26, 2) != name_size || limit - local < skip || stored > limit - local - skip)
      fail(name, fmt::format("its {} bytes do not lie in the file", stored));
    if (std::memcmp(file_.data + local + kLocalSize, name.data(), name_size) != 0)
      fail(name, "it has another name where it lies");
    if (method == kStored ? size != stored : size > 0 && size / kMaxRatio > stored)
      fail(name, fmt::format("{} bytes cannot have been made {}", size, stored));
    if (name.ends_with('/') && size == 0) continue;  // a folder
    if (!places_.emplace(name, members_.size()).second) fail(name, "it comes twice");
    members_.push_back({name, local + skip, static_cast<size_t>(stored), static_cast<size_t>(size), crc,
                        method == kDeflated});
  }
}

// Members that share bytes would let a small file claim any amount of memory.
void ZipReader::check_places() const {
  std::vector<const Member*> by_place;
  for (const Member& m : members_) by_place.push_back(&m);
  std::sort(by_place.begin(), by_place.end(),
            [](const Member* a, const Member* b) { return a->begin < b->begin; });
  for (size_t i = 1; i < by_place.size(); ++i)
    if (by_place[i - 1]->begin + by_place[i - 1]->stored > by_place[i]->begin - kLocalSize)
      fail(by_place[i]->name, fmt::format("it overlaps \"{}\"", shown(by_place[i - 1]->name)));
}

const ZipReader::Member* ZipReader::find(const std::string& name) const {
  const auto place = places_.find(name);
  return place == places_.end() ? nullptr : &members_[place->second];
}

Bytes ZipReader::read(const Member& m) const {
  Bytes content = file_.part(m.begin, m.stored);
  if (m.deflated) {
    const Bytes packed = content;
    content = allocate_bytes(m.size);
    Inflater z;
    if (inflateInit2(&z.stream, -MAX_WBITS) != Z_OK) fail(m.name, "there is no memory to inflate it");
    size_t in = 0, out = 0;
    int result = Z_OK;
    Bytef nothing;  // where zlib writes what does not belong there
    do {
      if (z.stream.avail_in == 0) {
        z.stream.next_in = reinterpret_cast<Bytef*>(packed.data + in);
        z.stream.avail_in = static_cast<uInt>(std::min(packed.size - in, kStep));
        in += z.stream.avail_in;
      }
      if (z.stream.avail_out == 0) {
        const bool full = out == m.size;
        z.stream.next_out = full ? &nothing : reinterpret_cast<Bytef*>(content.data + out);
        z.stream.avail_out = full ? 1 : static_cast<uInt>(std::min(m.size - out, kStep));
        if (!full) out += z.stream.avail_out;
      }
      result = inflate(&z.stream, Z_NO_FLUSH);
    } while (result == Z_OK && z.stream.total_out <= m.size);
    if (result != Z_STREAM_END || z.stream.total_out != m.size)
      fail(m.name, fmt::format("its compressed data is damaged: {} of {} bytes came out{}{}",
                               static_cast<uint64_t>(z.stream.total_out), m.size, z.stream.msg ? ": " : "",
                               z.stream.msg ? z.stream.msg : ""));
  }
  const auto crc = static_cast<uint32_t>(
      crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(content.data), content.size));
  if (crc != m.crc)
    fail(m.name, fmt::format("its data is damaged: CRC-32 {:08x}, the archive has {:08x}", crc, m.crc));
  return content;
}

void ZipWriter::write(std::string_view bytes) {
  sink_(bytes.data(), bytes.size());
  at_ += bytes.size();
}

void ZipWriter::add(const std::string& name, std::string_view content) {
  const std::span<const std::byte> piece(reinterpret_cast<const std::byte*>(content.data()), content.size());
  add(name, {&piece, 1}, false);
}

void ZipWriter::add(const std::string& name, std::span<const std::span<const std::byte>> pieces,
                    bool compress) {
  Written entry{name, at_, 0, 0, static_cast<uint32_t>(crc32_z(0, nullptr, 0)), kStored};
  for (const auto& piece : pieces) {
    entry.size += piece.size();
    if (!piece.empty())
      entry.crc = static_cast<uint32_t>(
          crc32_z(entry.crc, reinterpret_cast<const Bytef*>(piece.data()), piece.size()));
  }
  entry.stored = entry.size;

  std::string packed;
  if (compress) {
    Deflater z;
    if (deflateInit2(&z.stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
    std::vector<Bytef> block(1 << 18);
    const auto pump = [&](int flush) {
      do {
        z.stream.next_out = block.data();
        z.stream.avail_out = static_cast<uInt>(block.size());
        deflate(&z.stream, flush);
        packed.append(reinterpret_cast<const char*>(block.data()), block.size() - z.stream.avail_out);
      } while (z.stream.avail_out == 0);
    };
    for (const auto& piece : pieces)
      for (size_t done = 0; done < piece.size();) {
        const size_t n = std::min(piece.size() - done, kStep);
        z.stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(piece.data() + done));
        z.stream.avail_in = static_cast<uInt>(n);
        pump(Z_NO_FLUSH);
        done += n;
      }
    pump(Z_FINISH);
    entry.method = kDeflated;
    entry.stored = packed.size();
  }

  const bool large = entry.size >= kMax32 || entry.stored >= kMax32;
  std::string extra;
  if (large) {
    append(extra, kExtra64, 2);
    append(extra, 16, 2);
    append(extra, entry.size, 8);
    append(extra, entry.stored, 8);
  }
  if (!compress) {
    size_t padding = (kAlignment - (at_ + kLocalSize + name.size() + extra.size()) % kAlignment) % kAlignment;
    if (padding > 0) {
      if (padding < 4) padding += kAlignment;
      append(extra, kPadding, 2);
      append(extra, padding - 4, 2);
      extra.append(padding - 4, '\0');
    }
  }
  const bool ascii =
      std::all_of(name.begin(), name.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; });
  std::string header;
  append(header, kLocal, 4);
  append(header, large ? 45 : 20, 2);
  append(header, ascii ? 0 : 1 << 11, 2);
  append(header, entry.method, 2);
  append(header, 0, 2);
  append(header, 0x21, 2);  // the first of January 1980: the same content gives the same file
  append(header, entry.crc, 4);
  append(header, large ? kMax32 : entry.stored, 4);
  append(header, large ? kMax32 : entry.size, 4);
  append(header, name.size(), 2);
  append(header, extra.size(), 2);
  write(header + name + extra);
  if (compress)
    write(packed);
  else
    for (const auto& piece : pieces) {
      sink_(piece.data(), piece.size());
      at_ += piece.size();
    }
  written_.push_back(std::move(entry));
}

void ZipWriter::finish() {
  const uint64_t begin = at_;
  for (const Written& e : written_) {
    std::string extra;
    for (const uint64_t value : {e.size, e.stored, e.begin})
      if (value >= kMax32) append(extra, value, 8);
    if (!extra.empty()) {
      std::string head;
      append(head, kExtra64, 2);
      append(head, extra.size(), 2);
      extra.insert(0, head);
    }
    const bool ascii =
        std::all_of(e.name.begin(), e.name.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; });
    std::string entry;
    append(entry, kCentral, 4);
    append(entry, 45, 2);
    append(entry, extra.empty() ? 20 : 45, 2);
    append(entry, ascii ? 0 : 1 << 11, 2);
    append(entry, e.method, 2);
    append(entry, 0, 2);
    append(entry, 0x21, 2);
    append(entry, e.crc, 4);
    append(entry, std::min(e.stored, kMax32), 4);
    append(entry, std::min(e.size, kMax32), 4);
    append(entry, e.name.size(), 2);
    append(entry, extra.size(), 2);
    append(entry, 0, 10);  // no comment, disk 0, no attributes
    append(entry, std::min(e.begin, kMax32), 4);
    write(entry + e.name + extra);
  }
  const uint64_t length = at_ - begin, count = written_.size();
  std::string end;
  if (count >= kMax16 || length >= kMax32 || begin >= kMax32) {
    append(end, kEnd64, 4);
    append(end, kEnd64Size - 12, 8);
    append(end, 45, 2);
    append(end, 45, 2);
    append(end, 0, 8);
    append(end, count, 8);
    append(end, count, 8);
    append(end, length, 8);
    append(end, begin, 8);
    append(end, kLocator64, 4);
    append(end, 0, 4);
    append(end, at_, 8);
    append(end, 1, 4);
  }
  append(end, kEnd, 4);
  append(end, 0, 4);
  append(end, std::min(count, kMax16), 2);
  append(end, std::min(count, kMax16), 2);
  append(end, std::min(length, kMax32), 4);
  append(end, std::min(begin, kMax32), 4);
  append(end, 0, 2);
  write(end);
}

}  // namespace tapir::io
