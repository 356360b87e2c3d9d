#include "tapir/io/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "tapir/tensor/error_format.h"

namespace tapir::io {

namespace {

[[noreturn]] void throw_errno(const char* op, const std::string& path, const char* what) {
  const int error = errno;
  throw_error<IOError>("{}: cannot {} \"{}\": {}", op, what, path, std::strerror(error));
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The file that a path with symbolic links names, whether there is one yet or not.
std::string resolved(std::string path, const char* op) {
  if (char* real = ::realpath(path.c_str(), nullptr)) {
    std::string result = real;
    std::free(real);
    return result;
  }
  const std::string given = path;
  for (int steps = 0; steps < 40; ++steps) {  // as many as Linux follows
    char target[PATH_MAX];
    const ssize_t n = ::readlink(path.c_str(), target, sizeof(target));
    if (n < 0) return path;
    const std::string_view to(target, static_cast<size_t>(n));
    path = to.starts_with('/') ? std::string(to) : folder_of(path).append("/").append(to);
  }
  errno = ELOOP;
  throw_errno(op, given, "open");
}

}  // namespace

std::shared_ptr<MappedFile> MappedFile::open(const std::string& path, const char* op) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw_errno(op, path, "open");
  struct stat info;
  if (::fstat(fd, &info) != 0) {
    const int error = errno;
    ::close(fd);
    errno = error;
    throw_errno(op, path, "read");
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(fd);
    throw_error<IOError>("{}: \"{}\" is not a regular file", op, path);
  }
  const size_t size = static_cast<size_t>(info.st_size);
  void* data = nullptr;
  if (size > 0) data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  const int error = errno;
  ::close(fd);
  if (data == MAP_FAILED) {
    errno = error;
    throw_errno(op, path, "map");
  }
  return std::shared_ptr<MappedFile>(new MappedFile(static_cast<std::byte*>(data), size));
}

MappedFile::~MappedFile() {
  if (size_ > 0) ::munmap(data_, size_);
}

namespace {

// A new name for each try, so that neither another thread's file nor what a crash has left is in the way.
// It does not hold the file's name, which may be as long as names can be.
std::string new_name(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  return fmt::format("{}/.tapir-{}-{}.tmp", folder_of(path), ::getpid(), counter++);
}

std::string descriptor_path(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

}  // namespace

AtomicFile::AtomicFile(const std::string& path, const char* op) : path_(path), op_(op) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    direct_ = true;
    fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd_ < 0) fail("open");
    return;
  }
  path_ = resolved(path, op);
#ifdef O_TMPFILE
  // Without a name until it is whole: a process that is killed leaves nothing behind.
  fd_ = ::open(folder_of(path_).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  if (fd_ >= 0 && ::access(descriptor_path(fd_).c_str(), F_OK) != 0) {  // it could not be given one
    ::close(fd_);
    fd_ = -1;
  }
#endif
  for (int tries = 0; fd_ < 0; ++tries) {
    temporary_ = new_name(path_);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd_ < 0 && (errno != EEXIST || tries > 100)) throw_errno(op_, path_, "create a file beside");
  }
  if (::stat(path_.c_str(), &info) == 0 && ::fchmod(fd_, info.st_mode & 07777) != 0) {
    // Not ours to change: the new file keeps the default permissions.
  }
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const char* what) { throw_errno(op_, path_, what); }

void AtomicFile::write(const void* data, size_t bytes) {
  const char* p = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::write(fd_, p, std::min<size_t>(bytes, size_t{1} << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write");
    p += n;
    bytes -= static_cast<size_t>(n);
  }
}

void AtomicFile::commit() {
  if (!direct_ && ::fsync(fd_) != 0) fail("write");
  for (int tries = 0; !direct_ && temporary_.empty(); ++tries) {
    std::string name = new_name(path_);
    if (::linkat(AT_FDCWD, descriptor_path(fd_).c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0)
      temporary_ = std::move(name);
    else if (errno != EEXIST || tries > 100)
      fail("create a file beside");
  }
  const int fd = fd_;
  fd_ = -1;
  if (::close(fd) != 0) fail("write");
  if (direct_) return;
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("replace");
  temporary_.clear();
  // The new name is in the folder; without this a power failure could bring the old one back.
  const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
}

}  // namespace tapir::io
