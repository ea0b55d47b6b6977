#include "io/mapped_file.h"

#include <algorithm>
#include <limits>

#include "error.h"

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>

#include <filesystem>
#include <system_error>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#endif

namespace cellroute::io {
namespace {

[[noreturn]] void fail(const std::string& path, const char* what, int code) {
  throw Error("FILE_UNREADABLE", path + ": " + what + ": " + std::system_category().message(code));
}

}  // namespace

#ifdef _WIN32

MappedFile::MappedFile(const std::string& path) : path_(path) {
  const std::filesystem::path wide(std::u8string(path.begin(), path.end()));
  file_ = CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING,
                      FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file_ == INVALID_HANDLE_VALUE) fail(path, "cannot open", static_cast<int>(GetLastError()));
  size_ = current_size();
  if (size_ == 0) return;
  // The view keeps the mapping alive after its handle is closed.
  const HANDLE mapping = CreateFileMappingW(file_, nullptr, PAGE_READONLY, 0, 0, nullptr);
  const void* view = mapping ? MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0) : nullptr;
  const auto code = static_cast<int>(GetLastError());
  if (mapping) CloseHandle(mapping);
  if (!view) {
    CloseHandle(file_);
    fail(path, "cannot map", code);
  }
  data_ = static_cast<const uint8_t*>(view);
}

MappedFile::~MappedFile() {
  if (data_) UnmapViewOfFile(data_);
  CloseHandle(file_);
}

uint64_t MappedFile::current_size() const {
  LARGE_INTEGER size;
  return GetFileSizeEx(file_, &size) ? static_cast<uint64_t>(size.QuadPart) : 0;
}

#else

MappedFile::MappedFile(const std::string& path) : path_(path) {
  // Non-blocking: opening a named pipe without a writer would wait forever.
  file_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file_ < 0) fail(path, "cannot open", errno);
  struct stat status = {};
  int code = fstat(file_, &status) == 0 ? 0 : errno;
  if (code == 0 && !S_ISREG(status.st_mode)) code = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
  if (code == 0) {
    size_ = static_cast<uint64_t>(status.st_size);
    if (size_ > std::numeric_limits<size_t>::max()) code = EFBIG;
  }
  // An empty file cannot be mapped.
  if (code == 0 && size_ > 0) {
    const void* view = mmap(nullptr, static_cast<size_t>(size_), PROT_READ, MAP_PRIVATE, file_, 0);
    if (view == MAP_FAILED) {
      code = errno;
    } else {
      data_ = static_cast<const uint8_t*>(view);
    }
  }
  if (code != 0) {
    close(file_);
    fail(path, "cannot map", code);
  }
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<uint8_t*>(data_), static_cast<size_t>(size_));
  close(file_);
}

uint64_t MappedFile::current_size() const {
  struct stat status = {};
  return fstat(file_, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

#endif

const uint8_t* MappedFile::range(uint64_t offset, uint64_t length) const {
  if (offset > size_ || length > size_ - offset) {
    throw Error("WEIGHTS_DAMAGED",
                path_ + ": " + std::to_string(length) + " bytes are needed from byte " +
                    std::to_string(offset) + " on, the file has " + std::to_string(size_),
                std::min(offset, size_));
  }
  const uint64_t now = current_size();
  if (now < offset + length) {
    throw Error("WEIGHTS_DAMAGED",
                path_ + ": shortened from " + std::to_string(size_) + " to " + std::to_string(now) +
                    " bytes while it was read",
                now);
  }
  return data_ + offset;
}

}  // namespace cellroute::io
