//===- Solve.h - names from the extents they stand in ----------*- C++ -*-===//
#ifndef KILN_IR_SOLVE_H
#define KILN_IR_SOLVE_H

#include "ir/DimExpr.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

namespace kiln {

/// The one unknown name in `expected` and its value, floor((actual - b) / a), if `expected` is
/// a * name + b with a constant a and b free of unknown names. That `expected` then is `actual` is
/// for the caller to check: the division may leave a remainder.
std::optional<std::pair<std::string, DimExpr>>
solveFor(const DimExpr &expected, const DimExpr &actual,
         llvm::function_ref<bool(llvm::StringRef)> isUnknown);

using Sizes = std::map<std::string, int64_t, std::less<>>;

/// Adds to `sizes` all names that follow, one by one, from extents beside their values, those that
/// stand alone first. Contradictions are left for the caller to find.
void solveSizes(llvm::ArrayRef<std::pair<DimExpr, int64_t>> extents, Sizes &sizes);

} // namespace kiln

#endif // KILN_IR_SOLVE_H
