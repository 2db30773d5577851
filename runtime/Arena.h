//===- Arena.h - memory of an instance --------------------------*- C++ -*-===//
#ifndef KILN_RUNTIME_ARENA_H
#define KILN_RUNTIME_ARENA_H

#include "runtime/kiln.h"

namespace kiln::rt {

/// Where memory comes from: mmap, or the host's functions.
struct Allocator {
  void *(*allocate)(void *context, size_t bytes, size_t alignment) = nullptr;
  void (*deallocate)(void *context, void *data, size_t bytes) = nullptr;
  void *context = nullptr;

  /// Zeroed memory aligned to 64 bytes at least; null if there is none.
  void *take(size_t bytes) const;
  void give(void *data, size_t bytes) const;
};

/// One block of memory that only ever grows, touched when it is taken so that no call pays for
/// page faults.
class Arena {
public:
  /// Makes the block at least `bytes` large; contents are lost if it moves. False if there is no
  /// memory; the old block then stays.
  bool reserve(const Allocator &allocator, size_t bytes);
  void release(const Allocator &allocator);
  uint8_t *base() const { return data; }
  size_t size() const { return bytes; }

private:
  uint8_t *data = nullptr;
  size_t bytes = 0;
};

/// Reads one byte of each page, so that later reads find it present.
void prefault(const void *data, size_t bytes);

} // namespace kiln::rt

#endif // KILN_RUNTIME_ARENA_H
