#pragma once

#include <cstdint>
#include <string>

namespace cellroute::io {

/** A file mapped for reading, unmapped at the end of its life. Throws FILE_UNREADABLE. */
class MappedFile {
 public:
  /** `path` is UTF-8. */
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /** Bytes when it was mapped. */
  uint64_t size() const { return size_; }

  /** `length` bytes from `offset` on. Throws WEIGHTS_DAMAGED where they are not in the file.
   *
   *  A file that another process shortens would end this one on the next read of a lost page, so
   * its size is asked again here; use the bytes at once. What is left is a file shortened in
   * mid-copy. (Windows does not let a mapped file be shortened.) */
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
