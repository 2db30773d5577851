//===- Bulk.h - mbarriers and copies of tensors, by definition --*- C++ -*-===//
//
// Stand-ins for mbarrier.* and cp.async.bulk.tensor, written from the PTX manual, and for tensor
// maps, written from the driver's (CUDA 12). A copy is done at once, or when nobody can go on
// without it, by chance; a wait for a phase that never completes is an error.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_TEST_GPU_BULK_H
#define KILN_TEST_GPU_BULK_H

#include <cstdint>
#include <string>

namespace kiln::test {

/// A map as the driver here makes it: a device's is of as many bytes, which nobody may look at.
struct alignas(64) TensorMap {
  static constexpr uint32_t mostRank = 5;

  uint64_t mark;
  const uint8_t *address;
  uint64_t extents[mostRank], strides[mostRank - 1]; ///< the innermost first; in bytes
  uint16_t box[mostRank];
  uint8_t steps[mostRank]; ///< within a box
  uint8_t rank, size, swizzle;
};
static_assert(sizeof(TensorMap) == 128);

/// The arguments of cuTensorMapEncodeTiled.
struct TensorForm {
  int type = 0;
  uint32_t rank = 0;
  const void *address = nullptr;
  const uint64_t *extents = nullptr, *strides = nullptr;
  const uint32_t *box = nullptr, *steps = nullptr;
  int interleave = 0, swizzle = 0, promotion = 0, fill = 0;
};
/// "", or which of the documented restrictions the form does not meet.
std::string encode(TensorMap *map, const TensorForm &form);

/// A block begins: there is no mbarrier, and no copy is under way.
void forgetBulkCopies();
bool isCopyUnderWay();
/// Whether the phase of this parity is complete.
bool isPhaseComplete(const void *barrier, uint32_t parity);
/// Completes one of the copies under way; false if there is none.
bool finishBulkCopy();

// Of the running thread.
void beginBarrier(void *barrier, uint32_t count);
void endBarrier(void *barrier);
uint64_t arrive(void *barrier, uint32_t count);
uint64_t arriveExpecting(void *barrier, uint32_t bytes);
bool tryWait(void *barrier, uint32_t parity);
void copyTensor2(void *to, void *barrier, const TensorMap *map, int32_t x, int32_t y, uint16_t mask,
                 uint64_t hint, bool hasMask, bool hasHint, uint32_t group);
void copyTensor3(void *to, void *barrier, const TensorMap *map, int32_t x, int32_t y, int32_t z,
                 uint16_t mask, uint64_t hint, bool hasMask, bool hasHint, uint32_t group);

} // namespace kiln::test

#endif // KILN_TEST_GPU_BULK_H
