//===- Sparse.h - products that skip the zeros of a weight -----*- C++ -*-===//
#ifndef KILN_PASSES_COMPRESS_SPARSE_H
#define KILN_PASSES_COMPRESS_SPARSE_H

#include "passes/compress/Layers.h"

namespace kiln::passes {

/// Outputs of a block: as many as a vector holds.
inline constexpr int64_t panelOutputs = 16;

/// Makes the products with the layer's weight `kiln.sparse_matmul` if that is faster by the cost
/// model, and erases the weight. A remark tells what was done, or why it was not. A number of the
/// weight will be stored in so many bits.
void skipZeros(Layer &layer, int64_t bits);

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_SPARSE_H
