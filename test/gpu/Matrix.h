//===- Matrix.h - instructions of tensor cores, by definition ---*- C++ -*-===//
//
// Stand-ins for cp.async, ldmatrix and mma.sync, written from the PTX manual's tables of which lane
// holds which element. A copy is done at once or not before it is waited for, by chance, so that
// whoever reads too early or writes too late sees it.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_TEST_GPU_MATRIX_H
#define KILN_TEST_GPU_MATRIX_H

#include <cstdint>

namespace kiln::test {

/// A block begins: no copy is under way.
void forgetCopies();
void copyLater(void *to, const void *from);
void commitCopies();
void waitForCopies(uint32_t groups);

// Of the calling lane: room for the result, and the packed arguments.
void loadMatrices(void *result, void *arguments);
void loadMatricesTurned(void *result, void *arguments);
/// Two f8e4m3 to f16.
void widenEighths(void *result, void *arguments);
void multiplyF16(void *result, void *arguments);
void multiplyBF16(void *result, void *arguments);
void multiplyI8(void *result, void *arguments);
void multiplyI8U8(void *result, void *arguments);
void multiplyU8I8(void *result, void *arguments);
void multiplyU8(void *result, void *arguments);

} // namespace kiln::test

#endif // KILN_TEST_GPU_MATRIX_H
