//===- Formula.cpp - dimension expressions as LLVM IR ---------------------===//
#include "codegen/host/Formula.h"

#include "llvm/IR/Intrinsics.h"

using namespace llvm;

namespace kiln::host {

namespace {
class FormulaEmitter {
public:
  FormulaEmitter(IRBuilder<> &builder, const DimValues &dims, Value **overflow)
      : builder(builder), dims(dims), overflow(overflow) {}

  Value *emit(const DimExpr &expr) {
    Value *sum = nullptr;
    for (const auto &[monomial, coefficient] : expr.monomials()) {
      Value *product = nullptr;
      for (const DimAtom &atom : monomial)
        product = product ? multiply(product, emit(atom)) : emit(atom);
      if (!product)
        product = builder.getInt64(coefficient);
      else if (coefficient != 1)
        product = multiply(product, builder.getInt64(coefficient));
      sum = sum ? add(sum, product) : product;
    }
    return sum ? sum : builder.getInt64(0);
  }

private:
  Value *emit(const DimAtom &atom) {
    if (!atom.symbol.empty()) {
      Value *value = dims.lookup(atom.symbol);
      assert(value && "a dimension without a value");
      return value;
    }
    return floorDivide(emit(*atom.numerator), emit(*atom.denominator));
  }

  Value *add(Value *a, Value *b) {
    return overflow ? checked(Intrinsic::sadd_with_overflow, a, b) : builder.CreateNSWAdd(a, b);
  }

  Value *multiply(Value *a, Value *b) {
    return overflow ? checked(Intrinsic::smul_with_overflow, a, b) : builder.CreateNSWMul(a, b);
  }

  Value *checked(Intrinsic::ID operation, Value *a, Value *b) {
    Value *both = builder.CreateBinaryIntrinsic(operation, a, b);
    note(builder.CreateExtractValue(both, 1));
    return builder.CreateExtractValue(both, 0);
  }

  void note(Value *bad) {
    if (overflow)
      *overflow = *overflow ? builder.CreateOr(*overflow, bad) : bad;
  }

  /// Rounds towards minus infinity. A divisor that is not positive counts as overflow, and must not
  /// trap.
  Value *floorDivide(Value *a, Value *b) {
    auto *constant = dyn_cast<ConstantInt>(b);
    if (!constant || !constant->getValue().isStrictlyPositive()) {
      Value *bad = builder.CreateICmpSLE(b, builder.getInt64(0));
      note(bad);
      b = builder.CreateSelect(bad, builder.getInt64(1), b);
    }
    Value *quotient = builder.CreateSDiv(a, b), *rest = builder.CreateSRem(a, b);
    Value *negative = builder.CreateICmpSLT(rest, builder.getInt64(0));
    return builder.CreateSub(quotient, builder.CreateZExt(negative, builder.getInt64Ty()));
  }

  IRBuilder<> &builder;
  const DimValues &dims;
  Value **overflow;
};
} // namespace

Value *emitDimExpr(IRBuilder<> &builder, const DimExpr &expr, const DimValues &dims,
                   Value **overflow) {
  return FormulaEmitter(builder, dims, overflow).emit(expr);
}

} // namespace kiln::host
