//===- Rules.h - how attributes of ops follow from what is given -*- C++ -*-===//
//
// Rules over extents and numbers alone: no op, no place. Nothing means that what is given is of no
// form that the rule knows.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_IR_BUILD_RULES_H
#define KILN_IR_BUILD_RULES_H

#include "ir/KilnTypes.h"

#include "mlir/IR/BuiltinAttributes.h"

namespace kiln::ir {

using Dims = llvm::SmallVector<DimExpr>;

/// Whether a tensor with these extents takes less than 1 TiB; a dimension counts nothing.
bool fitsMemory(DType type, llvm::ArrayRef<DimExpr> dims);

/// Axes counted from the front; those out of range stay so, for the op to refuse.
llvm::SmallVector<int64_t> normalizedAxes(llvm::ArrayRef<int64_t> axes, int64_t rank);

/// [before, after] of each axis, from one number for all or one for each.
std::optional<Dims> evenPadding(llvm::ArrayRef<DimExpr> given, size_t axes);

/// [before, after] of each axis behind the first two by which its extent becomes
/// ceil(n / stride); the odd element stands at the end (TensorFlow's "SAME", ONNX's SAME_UPPER).
std::optional<Dims> samePadding(llvm::ArrayRef<DimExpr> image, llvm::ArrayRef<int64_t> kernel,
                                llvm::ArrayRef<int64_t> stride, llvm::ArrayRef<int64_t> dilation);

/// Replaces the first extent -1 of the shape by what the others leave of the source's elements.
void fillOpenExtent(llvm::MutableArrayRef<DimExpr> shape, llvm::ArrayRef<DimExpr> source);

/// Most bytes of a `kiln.constant`.
inline constexpr int64_t maxConstantBytes = 4096;

/// What a `kiln.constant` holds, from elements in the type's own format.
mlir::DenseElementsAttr constantOf(mlir::RankedTensorType type, llvm::ArrayRef<uint8_t> bytes);

} // namespace kiln::ir

#endif // KILN_IR_BUILD_RULES_H
