//===- Warpgroup.h - wgmma, by definition ----------------------*- C++ -*-===//
//
// Stand-ins for the calls by which the CUDA generator multiplies with warpgroups, written from the
// PTX manual: what matrix descriptors say of shared memory, and which thread holds which sum. Sums
// are not there until they have been waited for.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_TEST_GPU_WARPGROUP_H
#define KILN_TEST_GPU_WARPGROUP_H

namespace kiln::test {

/// A block begins: no product is under way.
void forgetProducts();

// Of the calling thread: room for its sums, and its packed arguments, which are its sums, then two
// descriptors for each 32 bytes of steps. `Across`: neighbours of the second factor are columns.
void startF16(void *result, void *arguments);
void startF16Across(void *result, void *arguments);
void startBF16(void *result, void *arguments);
void startBF16Across(void *result, void *arguments);
void startI8(void *result, void *arguments);
void startU8(void *result, void *arguments);
void waitForFloats(void *result, void *arguments);
void waitForIntegers(void *result, void *arguments);

} // namespace kiln::test

#endif // KILN_TEST_GPU_WARPGROUP_H
