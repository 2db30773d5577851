//===- GuardIndices.h - positions are looked at before use -----*- C++ -*-===//
#ifndef KILN_PASSES_SIMPLIFY_GUARDINDICES_H
#define KILN_PASSES_SIMPLIFY_GUARDINDICES_H

#include "mlir/IR/PatternMatch.h"

namespace kiln::passes {

/// In front of each op that reads at computed positions: a kiln.assert that all are in range.
void addGuardPatterns(mlir::RewritePatternSet &patterns);

} // namespace kiln::passes

#endif // KILN_PASSES_SIMPLIFY_GUARDINDICES_H
