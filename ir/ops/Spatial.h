//===- Spatial.h - words for ops over spatial dimensions -------*- C++ -*-===//
#ifndef KILN_IR_OPS_SPATIAL_H
#define KILN_IR_OPS_SPATIAL_H

#include "ir/ops/Common.h"

namespace kiln::ir {

/// "two", of at most six.
inline llvm::StringRef inWords(size_t count) {
  constexpr llvm::StringLiteral words[] = {"no", "one", "two", "three", "four", "five", "six"};
  return words[count];
}

/// So many channels, where groups divide them.
inline DimExpr wholeGroups(const DimExpr &channels, int64_t groups) {
  return DimExpr::floorDiv(channels, groups) * DimExpr(groups);
}

/// What the i-th of so many spatial dimensions measures.
inline std::string spatialName(int rank, int i) {
  constexpr llvm::StringLiteral names[] = {"depth", "height", "width"};
  return rank == 1 ? "length" : names[3 - rank + i].str();
}

} // namespace kiln::ir

#endif // KILN_IR_OPS_SPATIAL_H
