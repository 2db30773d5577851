//===- Formula.h - dimension expressions as LLVM IR -------------*- C++ -*-===//
#ifndef KILN_CODEGEN_HOST_FORMULA_H
#define KILN_CODEGEN_HOST_FORMULA_H

#include "ir/DimExpr.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/IR/IRBuilder.h"

namespace kiln::host {

/// Values of the names of an expression, as i64.
using DimValues = llvm::StringMap<llvm::Value *>;

/// Emits the value of an expression as i64. With `overflow` set, it is or-ed with whether a step
/// did not fit (i1); without, the caller knows that all fit.
llvm::Value *emitDimExpr(llvm::IRBuilder<> &builder, const DimExpr &expr, const DimValues &dims,
                         llvm::Value **overflow = nullptr);

/// Emits a number that the expression does not exceed while each name lies in [lower, upper], by
/// interval arithmetic. `overflow` as above.
llvm::Value *emitUpperBound(llvm::IRBuilder<> &builder, const DimExpr &expr, const DimValues &lower,
                            const DimValues &upper, llvm::Value *&overflow);

} // namespace kiln::host

#endif // KILN_CODEGEN_HOST_FORMULA_H
