//===- Permutes.h - moving permutes through other ops ----------*- C++ -*-===//
#ifndef KILN_PASSES_LAYOUT_PERMUTES_H
#define KILN_PASSES_LAYOUT_PERMUTES_H

#include "passes/Build.h"

#include "mlir/IR/PatternMatch.h"

namespace kiln::passes {

/// Permutations as `kiln.permute` has them: dimension i of the result is dimension axes[i] of the
/// operand.
using Axes = llvm::SmallVector<int64_t, 6>;

Axes inverse(llvm::ArrayRef<int64_t> axes);

inline mlir::Value permute(const Build &b, mlir::Value x, llvm::ArrayRef<int64_t> axes) {
  return b.make<ir::PermuteOp>(x, b.builder.getDenseI64ArrayAttr(axes));
}

/// Adapts an op to operands whose dimensions were put in another order: what was dimension i is now
/// axes[i]. Changes the attributes and result type; operands are the caller's. Returns the same of
/// the result, or nothing, the op as it was, if its kind does not allow it.
std::optional<Axes> reorderDimensions(mlir::Operation *op, llvm::ArrayRef<int64_t> axes);

/// Convolutions and pools between permutes, with channels last.
void addChannelsLastPatterns(mlir::RewritePatternSet &patterns);
/// Permutes behind the ops that follow.
void addSinkPatterns(mlir::RewritePatternSet &patterns);
/// Permutes in front of the ops before, where two cancel. Never together with the ones above.
void addCancelPatterns(mlir::RewritePatternSet &patterns);

} // namespace kiln::passes

#endif // KILN_PASSES_LAYOUT_PERMUTES_H
