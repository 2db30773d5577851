//===- Build.h - what passes build with ----------------------*- C++ -*-===//
#ifndef KILN_PASSES_BUILD_H
#define KILN_PASSES_BUILD_H

#include "ir/Build.h"

namespace kiln::passes {

using ir::Build;

/// Alignment of values in the arena and of weights, in bytes.
constexpr int64_t arenaAlignment = 64;

/// Whether the value is a weight, or an op without operands.
inline bool isLeaf(mlir::Value value) {
  mlir::Operation *op = value.getDefiningOp();
  return op &&
         (llvm::isa<ir::GetOp>(op) || (op->getNumOperands() == 0 && llvm::isa<ir::Evaluable>(op)));
}

/// Whether the value is one of those, or one that its reader widens.
inline bool isWidenedLeaf(mlir::Value value) {
  while (llvm::isa_and_nonnull<ir::CastOp, ir::DequantizeOp, ir::ReshapeOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return isLeaf(value);
}

} // namespace kiln::passes

#endif // KILN_PASSES_BUILD_H
