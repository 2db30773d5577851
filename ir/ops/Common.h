//===- Common.h - what the op families share -------------------*- C++ -*-===//
#ifndef KILN_IR_OPS_COMMON_H
#define KILN_IR_OPS_COMMON_H

#include "ir/KilnOps.h"

#include "llvm/ADT/STLFunctionalExtras.h"

/// Head of an op's shape inference.
#define KILN_INFER(Op)                                                                             \
  ::llvm::LogicalResult Op::inferReturnTypes(                                                      \
      ::mlir::MLIRContext *context, ::std::optional<::mlir::Location> loc,                         \
      ::mlir::ValueRange operands, ::mlir::DictionaryAttr attributes,                              \
      ::mlir::OpaqueProperties properties, ::mlir::RegionRange regions,                            \
      ::llvm::SmallVectorImpl<::mlir::Type> &results)

/// Head of an op's meaning.
#define KILN_EVALUATE(Op)                                                                          \
  ::llvm::LogicalResult Op::evaluate(::llvm::ArrayRef<const ::kiln::ir::Tensor *> operands,        \
                                     ::llvm::MutableArrayRef<::kiln::ir::Tensor> results,          \
                                     const ::kiln::ir::Evaluation &evaluation)

namespace kiln::ir {

using MaybeLoc = std::optional<mlir::Location>;

/// Classes of element types that functions are defined on.
enum class Domain : uint8_t { Float, Number, Integer, Bool, Any };

/// Whether the type is of the domain; the second gives the words for an error.
bool inDomain(DType type, Domain domain);
llvm::StringRef domainText(Domain domain);

/// Reports unless the type is of the domain: "'exp' expected a float tensor, got i64[3]".
llvm::LogicalResult requireDomain(MaybeLoc loc, llvm::StringRef op, mlir::Type type, Domain domain);

/// How a builder is told that an extent must be another: false ends the work.
using AlignExtent =
    llvm::function_ref<bool(const DimExpr &got, const DimExpr &expected, llvm::StringRef subject)>;

/// Replaces `extent` by `wanted`, which it must equal.
bool align(DimExpr &extent, const DimExpr &wanted, llvm::StringRef subject, AlignExtent require);

/// Replaces the extents of all shapes but along `except` (-1: none) by those of the first one, or
/// by a number or a name where one of them is.
void alignToFirst(llvm::MutableArrayRef<llvm::SmallVector<DimExpr>> shapes, int64_t except,
                  AlignExtent require);

/// Calls `body` with each index of the shape in row-major order.
void forEachIndex(llvm::ArrayRef<int64_t> shape,
                  llvm::function_ref<void(llvm::ArrayRef<int64_t>)> body);

/// Copies element `from` of one tensor to element `to` of another of the same type.
inline void copyElement(const Tensor &source, int64_t from, Tensor &target, int64_t to) {
  if (source.isFloat())
    target.floats[to] = source.floats[from];
  else
    target.ints[to] = source.ints[from];
}

/// Fills `result` by result(i) = source(map(i)).
void gatherElements(const Tensor &source, Tensor &result,
                    llvm::function_ref<int64_t(llvm::ArrayRef<int64_t>)> map);

/// The position that an index means along an axis of n elements, or an error of the op.
llvm::FailureOr<int64_t> positionOf(mlir::Operation *op, int64_t index, int64_t n);

/// Dot product of an index with strides.
inline int64_t linear(llvm::ArrayRef<int64_t> index, llvm::ArrayRef<int64_t> strides) {
  int64_t sum = 0;
  for (size_t i = 0; i < index.size(); ++i)
    sum += index[i] * strides[i];
  return sum;
}

} // namespace kiln::ir

#endif // KILN_IR_OPS_COMMON_H
