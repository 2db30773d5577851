//===- Build.h - what passes build with ----------------------*- C++ -*-===//
#ifndef KILN_PASSES_BUILD_H
#define KILN_PASSES_BUILD_H

#include "ir/Build.h"

namespace kiln::passes {

using ir::Build;

/// Whether the value is a weight, or an op without operands.
inline bool isLeaf(mlir::Value value) {
  mlir::Operation *op = value.getDefiningOp();
  return op &&
         (llvm::isa<ir::GetOp>(op) || (op->getNumOperands() == 0 && llvm::isa<ir::Evaluable>(op)));
}

} // namespace kiln::passes

#endif // KILN_PASSES_BUILD_H
