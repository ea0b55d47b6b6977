#pragma once

#include <cstdint>
#include <string>

namespace cellroute::io {

/** A file mapped for reading; the destructor unmaps it. Throws FILE_UNREADABLE. */
class MappedFile {
 public:
  /** `path` is UTF-8. */
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /** Size in bytes when it was mapped. */
  uint64_t size() const { return size_; }

  /** `length` bytes from `offset` on. Throws WEIGHTS_DAMAGED if they are not inside the file.
   *
   *  If another process truncates the file, reading a lost page would end this process, so the
   *  size is checked again here; use the bytes immediately. A truncation during the copy cannot
   *  be detected. (Windows does not allow a mapped file to be truncated.) */
  const uint8_t* range(uint64_t offset, uint64_t length) const;

 private:
  uint64_t current_size() const;

  std::string path_;
  const uint8_t* data_ = nullptr;
  uint64_t size_ = 0;
#ifdef _WIN32
  void* file_ = nullptr;
#else
  int file_ = -1;
#endif
};

}  // namespace cellroute::io
