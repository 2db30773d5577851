//===- Arena.cpp - memory of an instance ----------------------------------===//
#include "runtime/Arena.h"

#include "runtime/Libc.h"

namespace kiln::rt {

static constexpr size_t pageBytes = 4096;
/// From here on, large pages are asked for: fewer faults and fewer TLB misses.
static constexpr size_t hugePageBytes = size_t(2) << 20;

void *Allocator::take(size_t bytes) const {
  if (allocate) {
    void *data = allocate(context, bytes, 64);
    if (data)
      __builtin_memset(data, 0, bytes);
    return data;
  }
  void *data = mmap(nullptr, bytes, libc::protRead | libc::protWrite,
                    libc::mapPrivate | libc::mapAnonymous, -1, 0);
  return data == reinterpret_cast<void *>(intptr_t(-1)) ? nullptr : data;
}

void Allocator::give(void *data, size_t bytes) const {
  if (!data)
    return;
  if (!allocate)
    munmap(data, bytes);
  else if (deallocate)
    deallocate(context, data, bytes);
}

bool Arena::reserve(const Allocator &allocator, size_t wanted) {
  if (wanted <= bytes)
    return true;
  wanted = (wanted + pageBytes - 1) & ~(pageBytes - 1);
  auto *fresh = static_cast<uint8_t *>(allocator.take(wanted));
  if (!fresh)
    return false;
  if (!allocator.allocate) {
    if (wanted >= hugePageBytes)
      madvise(fresh, wanted, libc::adviseHugePage);
    for (size_t at = 0; at < wanted; at += pageBytes)
      static_cast<volatile uint8_t *>(fresh)[at] = 0;
  }
  release(allocator);
  data = fresh;
  bytes = wanted;
  return true;
}

void Arena::release(const Allocator &allocator) {
  allocator.give(data, bytes);
  data = nullptr;
  bytes = 0;
}

void prefault(const void *data, size_t bytes) {
  auto first = reinterpret_cast<uintptr_t>(data) & ~uintptr_t(pageBytes - 1);
  madvise(reinterpret_cast<void *>(first), reinterpret_cast<uintptr_t>(data) + bytes - first,
          libc::adviseWillNeed);
  const auto *at = static_cast<const volatile uint8_t *>(data);
  for (size_t i = 0; i < bytes; i += pageBytes)
    (void)at[i];
}

} // namespace kiln::rt
