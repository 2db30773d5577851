//===- KilnTypes.h - tensor types with named extents -----------*- C++ -*-===//
#ifndef KILN_IR_KILNTYPES_H
#define KILN_IR_KILNTYPES_H

#include "ir/DType.h"
#include "ir/DimExpr.h"

#include "mlir/IR/BuiltinTypes.h"

namespace kiln::ir {

/// Role of an op in a kernel.
enum class FusionRole : uint8_t {
  Pointwise, ///< one element of each operand gives one of the result
  Movement,  ///< each result element is one operand element at an affine position (permute, pad …)
  Contraction, ///< matmul
  Convolution, ///< conv2d
  Window,      ///< pooling
  RowWise,     ///< reductions, softmax: whole rows are needed
  View,        ///< no data moves: reshape of dense memory
  Procedure,   ///< code of its own (sorting): a kernel of one op, with all its results
  Constant,    ///< no operands, cheap to recompute
  Opaque,      ///< never fused
};

/// The MLIR type of an element type and back. dtypeOf gives nothing for foreign types.
mlir::Type elementType(mlir::MLIRContext *context, DType type);
std::optional<DType> dtypeOf(mlir::Type type);

/// A tensor type with these extents. The encoding is there exactly if an extent is not constant.
mlir::RankedTensorType tensorType(mlir::MLIRContext *context, DType type,
                                  llvm::ArrayRef<DimExpr> dims);
mlir::RankedTensorType tensorType(mlir::Type element, llvm::ArrayRef<DimExpr> dims);
/// The extents of a tensor type.
llvm::SmallVector<DimExpr> dimsOf(mlir::Type type);
/// Product of the extents.
DimExpr numElements(llvm::ArrayRef<DimExpr> dims);
/// "f32[N, 10]", as the language writes it.
std::string typeText(mlir::Type type);
/// Bounds of the dimensions that an op declares in its `kiln.dims` dictionary.
DimExpr::BoundsMap declaredBounds(mlir::Operation *op);
/// The nearest enclosing op with a `kiln.dims` dictionary; its bounds.
DimExpr::BoundsMap enclosingBounds(mlir::Operation *op);

} // namespace kiln::ir

#endif // KILN_IR_KILNTYPES_H
