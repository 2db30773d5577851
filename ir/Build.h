//===- Build.h - short names for building ops ------------------*- C++ -*-===//
#ifndef KILN_IR_BUILD_H
#define KILN_IR_BUILD_H

#include "ir/KilnOps.h"

namespace kiln::ir {

/// Builds ops at a place; result types are inferred.
struct Build {
  mlir::OpBuilder &builder;
  mlir::Location loc;

  template <typename Op, typename... Args> mlir::Value make(Args &&...args) const {
    return Op::create(builder, loc, std::forward<Args>(args)...);
  }
  DimsAttr dims(llvm::ArrayRef<DimExpr> list) const {
    return DimsAttr::get(builder.getContext(), list);
  }
  mlir::Value full(double value, llvm::ArrayRef<DimExpr> shape, mlir::Type element) const {
    return make<FullOp>(dims(shape), builder.getF64FloatAttr(value), mlir::TypeAttr::get(element));
  }
  /// No op if the shape is the value's.
  mlir::Value reshape(mlir::Value x, llvm::ArrayRef<DimExpr> shape) const {
    return llvm::equal(dimsOf(x.getType()), shape) ? x : make<ReshapeOp>(x, dims(shape));
  }
  mlir::Value broadcast(mlir::Value x, llvm::ArrayRef<DimExpr> shape) const {
    return llvm::equal(dimsOf(x.getType()), shape) ? x : make<BroadcastToOp>(x, dims(shape));
  }
  /// A border of one value.
  mlir::Value pad(mlir::Value x, llvm::ArrayRef<DimExpr> border, double value) const {
    return make<PadOp>(x, dims(border), builder.getF64FloatAttr(value),
                       builder.getStringAttr("constant"));
  }
  mlir::Value cast(mlir::Value x, mlir::Type element) const {
    return elementOf(x) == element ? x : make<CastOp>(x, mlir::TypeAttr::get(element));
  }
  static mlir::Type elementOf(mlir::Value x) {
    return llvm::cast<mlir::RankedTensorType>(x.getType()).getElementType();
  }
  /// The type in which a composite of floats computes: f32 for the narrower ones.
  mlir::Type wideOf(mlir::Value x) const {
    mlir::Type element = elementOf(x);
    return element.getIntOrFloatBitWidth() < 32 ? builder.getF32Type() : element;
  }
};

/// A kiln.assert that all indices are from -extent to extent - 1.
void assertInside(const Build &b, mlir::Value indices, const DimExpr &extent,
                  llvm::StringRef subject);

} // namespace kiln::ir

#endif // KILN_IR_BUILD_H
