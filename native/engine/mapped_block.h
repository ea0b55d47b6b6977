#pragma once

#include <cstddef>
#include <vector>

namespace cellroute {

/** A large block of memory from the system, which clears each page when it is first touched. */
class MappedBlock {
 public:
  /** Bytes of a huge page. Blocks start at one. */
  static constexpr size_t kPage = size_t{2} << 20;

  /** Throws std::bad_alloc. */
  explicit MappedBlock(size_t size);
  ~MappedBlock();
  MappedBlock(MappedBlock&& other) noexcept;
  MappedBlock& operator=(MappedBlock&& other) noexcept;
  MappedBlock(const MappedBlock&) = delete;
  MappedBlock& operator=(const MappedBlock&) = delete;

  void* data() const { return data_; }
  size_t size() const { return size_; }

  /** Whether pages can move from one block to another without being cleared: on Linux, until a move
   *  fails. */
  static bool can_move_pages();

  /** Moves the donor's huge pages, with their contents, into this block from `filled` bytes on,
   *  which must be untouched. Returns the new value of `filled`. The donor keeps whole pages that
   *  are left over; the rest of its memory returns to the system. If the system cannot move pages,
   *  this block becomes a new one of the same size, "filled" to its end, the donor is empty, and
   *  can_move_pages() is false from then on. Throws std::bad_alloc. */
  size_t take_pages(MappedBlock& donor, size_t filled);

 private:
  /** Memory of one mapping: what the system moves at once. */
  struct Mapping {
    char* data;
    size_t size;
  };

  void unmap() noexcept;

  char* data_ = nullptr;
  size_t size_ = 0;
  std::vector<Mapping> mappings_;
};

}  // namespace cellroute
