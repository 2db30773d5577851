//===- Build.h - short names for building ops ------------------*- C++ -*-===//
#ifndef KILN_PASSES_BUILD_H
#define KILN_PASSES_BUILD_H

#include "ir/KilnOps.h"

namespace kiln::passes {

/// Builds ops at a place; result types are inferred.
struct Build {
  mlir::OpBuilder &builder;
  mlir::Location loc;

  template <typename Op, typename... Args> mlir::Value make(Args &&...args) const {
    return Op::create(builder, loc, std::forward<Args>(args)...);
  }
  ir::DimsAttr dims(llvm::ArrayRef<DimExpr> list) const {
    return ir::DimsAttr::get(builder.getContext(), list);
  }
  mlir::Value full(double value, llvm::ArrayRef<DimExpr> shape, mlir::Type element) const {
    return make<ir::FullOp>(dims(shape), builder.getF64FloatAttr(value),
                            mlir::TypeAttr::get(element));
  }
  /// No op if the shape is the value's.
  mlir::Value reshape(mlir::Value x, llvm::ArrayRef<DimExpr> shape) const {
    return llvm::equal(ir::dimsOf(x.getType()), shape) ? x : make<ir::ReshapeOp>(x, dims(shape));
  }
  mlir::Value broadcast(mlir::Value x, llvm::ArrayRef<DimExpr> shape) const {
    return llvm::equal(ir::dimsOf(x.getType()), shape) ? x
                                                       : make<ir::BroadcastToOp>(x, dims(shape));
  }
  mlir::Value cast(mlir::Value x, mlir::Type element) const {
    return elementOf(x) == element ? x : make<ir::CastOp>(x, mlir::TypeAttr::get(element));
  }
  static mlir::Type elementOf(mlir::Value x) {
    return llvm::cast<mlir::RankedTensorType>(x.getType()).getElementType();
  }
};

/// Whether the value is a weight, or an op without operands.
inline bool isLeaf(mlir::Value value) {
  mlir::Operation *op = value.getDefiningOp();
  return op &&
         (llvm::isa<ir::GetOp>(op) || (op->getNumOperands() == 0 && llvm::isa<ir::Evaluable>(op)));
}

} // namespace kiln::passes

#endif // KILN_PASSES_BUILD_H
