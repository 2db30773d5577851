//===- Rows.h - matrix products in integers, scaled by row -----*- C++ -*-===//
#ifndef KILN_PASSES_COMPRESS_ROWS_H
#define KILN_PASSES_COMPRESS_ROWS_H

#include "ir/KilnOps.h"

#include "llvm/ADT/SmallPtrSet.h"

namespace kiln::passes {

/// The dynamic scheme. A row x of an activation becomes q = round(x / s) + z in u8, with s and z
/// for its range and zero: s = (max(x, 0) - min(x, 0)) / 255, or 1 of a row of zeros, and z =
/// round(-min(x, 0) / s). A row with a NaN or an infinity has a scale that is none or infinite, so
/// that all its products are NaN.
class RowQuantizer {
public:
  /// Replaces x @ transpose(w) for weights w [N, K] in i8 with a scale a channel; `offsets` [N] in
  /// i32 is the sum of each channel's weights. Activations that several products read are quantised
  /// once.
  void replace(ir::MatmulOp matmul, ir::WeightOp weight, ir::WeightOp scales, ir::WeightOp offsets);

private:
  ir::QuantizeOp rowsOf(mlir::Value x, mlir::Operation *reader);

  /// What was made; activations themselves may be replaced by others.
  llvm::SmallPtrSet<mlir::Operation *, 8> made;
};

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_ROWS_H
