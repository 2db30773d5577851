//===- Shared.h - who touches shared memory between barriers ----*- C++ -*-===//
//
// Each byte of a block's shared memory knows who read and wrote it since the last barrier. Two
// threads that touch one byte, one of them writing, without a barrier between them, are an error,
// whatever order they ran in here; so is any touch of a byte that an asynchronous copy may be
// writing, one outside a variable, and a read of what the block has not written. Waiting in a warp
// orders nothing. Products of warpgroups read on a way of their own, until they are waited for:
// what they read must have been fenced by who wrote it. Whoever waits for an mbarrier is behind
// those who arrived, and behind the copies that it counted; nobody else is.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_TEST_GPU_SHARED_H
#define KILN_TEST_GPU_SHARED_H

#include <cstdint>
#include <utility>
#include <vector>

namespace kiln::test {

/// The variables of the blocks that follow. They must not be neighbours.
void placeShared(std::vector<std::pair<void *, uint64_t>> variables);
/// A block begins: nothing has been touched.
void beginShared();
/// A block ends: what was wrong besides, or "". (A read before a write is a race, if it is one.)
const char *endShared();
/// All threads have met: what follows is ordered behind what was.
void orderShared();

/// The running thread touches bytes; what is wrong ends the block's run, and a thread's at once.
void readShared(const void *at, uint64_t bytes);
void writeShared(const void *at, uint64_t bytes);
/// The lanes of the running thread's warp read bytes for one another: whether they may.
bool readSharedTogether(const void *at, uint64_t bytes);
/// The running thread begins to copy to these bytes, and has waited until that is done.
void beginCopyToShared(const void *at, uint64_t bytes);
void endCopyToShared(const void *at, uint64_t bytes);

/// The running thread shows products what it wrote.
void fenceShared();
/// Where the variable that the block has written lies whose place has these low 18 bits; null if
/// none has.
const void *findShared(uint32_t lowBits);
/// All threads of a warpgroup begin products, whose reads follow. They have waited for them.
void beginProductsOfShared(uint32_t warpgroup);
void endProductsOfShared(uint32_t warpgroup);
/// A warpgroup's products begin to read bytes: whether they may. They are done.
bool beginProductOfShared(const void *at, uint64_t bytes, uint32_t warpgroup);
void endProductOfShared(const void *at, uint64_t bytes, uint32_t warpgroup);

/// Times of all who touch memory.
using Clocks = std::vector<uint32_t>;
/// What the running thread has done and waited for lies in front of who gets `to`.
void releaseShared(Clocks &to);
void acquireShared(const Clocks &from);

inline constexpr uint64_t barrierBytes = 8;
inline constexpr uint32_t mostBarriers = 64;
/// The running thread makes bytes an mbarrier, ends it, or uses it, perhaps for copies to count on.
void beginBarrierInShared(const void *at);
void endBarrierInShared(const void *at);
void useBarrierInShared(const void *at, bool isByCopies);
/// The running thread begins a copy that an mbarrier counts. It is done, in a phase of that.
void beginBulkCopyToShared(const void *at, uint64_t bytes);
void endBulkCopyToShared(const void *at, uint64_t bytes, uint32_t barrier, uint32_t phase);
/// The copies of a phase lie in front of who gets `to`.
void completePhaseOfShared(Clocks &to, uint32_t barrier, uint32_t phase);

} // namespace kiln::test

#endif // KILN_TEST_GPU_SHARED_H
