//===- Rows.h - matrix products in integers, scaled by row -----*- C++ -*-===//
#ifndef KILN_PASSES_COMPRESS_ROWS_H
#define KILN_PASSES_COMPRESS_ROWS_H

#include "ir/KilnOps.h"

#include "llvm/ADT/SmallPtrSet.h"

namespace kiln::passes {

/// The dynamic scheme. A row x of an activation becomes q = round(x / s) + 128 in u8, with s =
/// max |x| / 127, or 1 of a row of zeros. A row with a NaN or an infinity has a scale that is none
/// or infinite, so that all its products are NaN.
class RowQuantizer {
public:
  /// The deepest sum of products of u8 and i8, less 128 times the weights, that i32 holds.
  static constexpr int64_t maxDepth = 2147483647 / (127 * 127);

  /// Replaces x @ transpose(w) for weights w [N, K] in i8 with a scale a channel; `offsets` [N] in
  /// i32 is 128 times the sum of each channel's weights. Activations that several products read are
  /// quantised once.
  void replace(ir::MatmulOp matmul, ir::WeightOp weight, ir::WeightOp scales, ir::WeightOp offsets);

private:
  ir::QuantizeOp rowsOf(mlir::Value x, mlir::Operation *reader);

  /// What was made; activations themselves may be replaced by others.
  llvm::SmallPtrSet<mlir::Operation *, 8> made;
};

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_ROWS_H
