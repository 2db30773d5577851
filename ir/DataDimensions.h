//===- DataDimensions.h - dimensions that values decide --------*- C++ -*-===//
#ifndef KILN_IR_DATADIMENSIONS_H
#define KILN_IR_DATADIMENSIONS_H

#include "ir/DimExpr.h"

#include "mlir/IR/Operation.h"

namespace kiln::ir {

/// Dimensions that values decide, each with a polynomial of the call's dimensions that it never
/// exceeds.
using BoundDimensions = std::map<std::string, DimExpr, std::less<>>;
/// Those that the ops of the function bind.
BoundDimensions boundDimensions(mlir::Operation *function);
/// Reports an op, as internal, that uses one of them before it is bound or outside of where it is.
llvm::LogicalResult checkBound(mlir::Operation *function);
/// Whether one of them stands in a type or attribute of the op.
bool namesAny(mlir::Operation *op, const BoundDimensions &dimensions);
/// A dimension that only results of an entry point have, and its value over the others: what
/// `kiln.data_dims` and `kiln.data_extents` say.
struct DataDimension {
  std::string name;
  DimExpr value;
  std::string symbol; ///< a bound dimension that `value` grows with one by one; empty if none does
  DimExpr ofSymbol;   ///< that dimension over this one
};
llvm::SmallVector<DataDimension> dataDimensions(mlir::Operation *function);
/// An extent of a result in terms of these names.
DimExpr inDataDimensions(const DimExpr &extent, llvm::ArrayRef<DataDimension> dimensions);

} // namespace kiln::ir

#endif // KILN_IR_DATADIMENSIONS_H
