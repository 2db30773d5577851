//===- Values.h - the operations of specs on LLVM values -------*- C++ -*-===//
//
// One function for each kind of operation, on scalars or vectors alike. Values of f16, bf16 and f8
// are their bit patterns; bool is i1. No operation becomes a call of a library.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_LLVM_VALUES_H
#define KILN_CODEGEN_LLVM_VALUES_H

#include "codegen/spec/KernelSpec.h"

#include "llvm/IR/IRBuilder.h"

namespace kiln::codegen {

/// An extreme and its position (ArgMax), or one value.
struct Accumulated {
  llvm::Value *value = nullptr, *position = nullptr;
};

class Values {
public:
  /// `hasHalf`: the target converts f16 itself; `hasRounding`: it rounds to integers itself.
  Values(llvm::IRBuilder<> &b, bool hasHalf, bool hasRounding)
      : b(b), hasHalf(hasHalf), hasRounding(hasRounding) {}

  /// The type a value has in registers, and in memory.
  llvm::Type *type(DType type);
  llvm::Type *memoryType(DType type);
  /// A scalar constant; floats are rounded to the type.
  llvm::Constant *constant(double value, DType type);
  llvm::Constant *constant(const spec::Expr &node);
  /// Splats scalars where another value is a vector.
  void unify(llvm::MutableArrayRef<llvm::Value *> values);
  llvm::Value *splat(llvm::Value *value, int lanes);
  /// Any operation but leaves.
  llvm::Value *apply(const spec::Expr &node, llvm::SmallVector<llvm::Value *, 3> args);
  llvm::Value *cast(llvm::Value *value, DType from, DType to);
  llvm::Value *floorDiv(llvm::Value *x, llvm::Value *y, bool isSigned);
  /// acc and item under a combiner; for ArgMax and ArgMin `type` is the type compared.
  Accumulated combine(spec::Combiner combiner, DType type, Accumulated acc, Accumulated item);
  /// What leaves every item unchanged; scalar.
  Accumulated identity(spec::Combiner combiner, DType type);
  /// x * y + acc, fused where the target does so at no cost.
  llvm::Value *multiplyAdd(llvm::Value *x, llvm::Value *y, llvm::Value *acc);

private:
  llvm::Type *like(llvm::Value *value, llvm::Type *element);
  llvm::Value *extreme(llvm::Value *x, llvm::Value *y, DType type, bool isMax);
  llvm::Value *roundEven(llvm::Value *x);
  llvm::Value *floorOf(llvm::Value *x);
  llvm::Value *real(spec::Op op, llvm::ArrayRef<llvm::Value *> args, DType type);
  llvm::Value *whole(spec::Op op, llvm::ArrayRef<llvm::Value *> args, DType type);
  llvm::Value *compare(spec::Op op, llvm::Value *x, llvm::Value *y, DType type);
  llvm::Value *widen(llvm::Value *bits, DType from);
  llvm::Value *narrow(llvm::Value *value, DType to);
  llvm::Value *narrowBits(llvm::Value *value, int exponent, int mantissa, bool hasInfinity);
  llvm::Value *toF32Odd(llvm::Value *value);
  llvm::Value *toF64Odd(llvm::Value *value);
  llvm::Value *toI32(llvm::Value *value, llvm::Type *target);

  llvm::IRBuilder<> &b;
  bool hasHalf, hasRounding;
};

} // namespace kiln::codegen

#endif // KILN_CODEGEN_LLVM_VALUES_H
