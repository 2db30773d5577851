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

  struct Interval {
    Value *low, *high;
  };

  /// The interval of the expression's values while names lie between `lower` and `dims`.
  Interval emitInterval(const DimExpr &expr, const DimValues &lower) {
    Interval sum{builder.getInt64(0), builder.getInt64(0)};
    for (const auto &[monomial, coefficient] : expr.monomials()) {
      Interval product{builder.getInt64(coefficient), builder.getInt64(coefficient)};
      for (const DimAtom &atom : monomial)
        product = multiply(product, emitInterval(atom, lower));
      sum = {add(sum.low, product.low), add(sum.high, product.high)};
    }
    return sum;
  }

private:
  Value *smaller(Value *a, Value *b) {
    return builder.CreateBinaryIntrinsic(Intrinsic::smin, a, b);
  }
  Value *larger(Value *a, Value *b) { return builder.CreateBinaryIntrinsic(Intrinsic::smax, a, b); }

  /// The extremes of a function that is monotone in each operand lie at the corners.
  Interval corners(Interval a, Interval b, function_ref<Value *(Value *, Value *)> apply) {
    Value *values[] = {apply(a.low, b.low), apply(a.low, b.high), apply(a.high, b.low),
                       apply(a.high, b.high)};
    return {smaller(smaller(values[0], values[1]), smaller(values[2], values[3])),
            larger(larger(values[0], values[1]), larger(values[2], values[3]))};
  }

  Interval multiply(Interval a, Interval b) {
    return corners(a, b, [&](Value *x, Value *y) { return multiply(x, y); });
  }

  Interval emitInterval(const DimAtom &atom, const DimValues &lower) {
    if (atom.kind == DimAtom::Kind::Symbol)
      return {lower.lookup(atom.symbol), dims.lookup(atom.symbol)};
    Interval a = emitInterval(*atom.left, lower), b = emitInterval(*atom.right, lower);
    if (atom.kind == DimAtom::Kind::Min)
      return {smaller(a.low, b.low), smaller(a.high, b.high)};
    if (atom.kind == DimAtom::Kind::Max)
      return {larger(a.low, b.low), larger(a.high, b.high)};
    b.low = larger(b.low, builder.getInt64(1)); // a call with another divisor is refused
    b.high = larger(b.high, builder.getInt64(1));
    return corners(a, b, [&](Value *x, Value *y) { return floorDivide(x, y); });
  }

  Value *emit(const DimAtom &atom) {
    if (atom.kind == DimAtom::Kind::Symbol) {
      Value *value = dims.lookup(atom.symbol);
      assert(value && "a dimension without a value");
      return value;
    }
    Value *left = emit(*atom.left), *right = emit(*atom.right);
    if (atom.kind == DimAtom::Kind::Quotient)
      return floorDivide(left, right);
    return builder.CreateBinaryIntrinsic(
        atom.kind == DimAtom::Kind::Min ? Intrinsic::smin : Intrinsic::smax, left, right);
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

Value *emitUpperBound(IRBuilder<> &builder, const DimExpr &expr, const DimValues &lower,
                      const DimValues &upper, Value *&overflow) {
  return FormulaEmitter(builder, upper, &overflow).emitInterval(expr, lower).high;
}

Value *emitDimExpr(IRBuilder<> &builder, const DimExpr &expr, const DimValues &dims,
                   Value **overflow) {
  return FormulaEmitter(builder, dims, overflow).emit(expr);
}

} // namespace kiln::host
