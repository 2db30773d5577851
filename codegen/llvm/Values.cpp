//===- Values.cpp - integers, comparisons and combiners -------------------===//

#include "codegen/llvm/Values.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/IR/Intrinsics.h"

#include <cmath>

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using spec::Combiner;
using spec::Op;

Type *Values::type(DType type) {
  switch (type) {
  case DType::F64:
    return b.getDoubleTy();
  case DType::F32:
    return b.getFloatTy();
  case DType::Bool:
    return b.getInt1Ty();
  default:
    return b.getIntNTy(byteSize(type) * 8);
  }
}

Type *Values::memoryType(DType type) {
  return type == DType::Bool ? b.getInt8Ty() : this->type(type);
}

Type *Values::like(Value *value, Type *element) {
  auto *vector = dyn_cast<VectorType>(value->getType());
  return vector ? VectorType::get(element, vector->getElementCount()) : element;
}

Constant *Values::constant(double value, DType type) {
  if (!isFloat(type))
    return ConstantInt::getSigned(this->type(type), static_cast<int64_t>(value), true);
  const fltSemantics *semantics[] = {&APFloat::IEEEdouble(),   &APFloat::IEEEsingle(),
                                     &APFloat::IEEEhalf(),     &APFloat::BFloat(),
                                     &APFloat::Float8E4M3FN(), &APFloat::Float8E5M2()};
  if (type == DType::F8E4M3 && !std::isnan(value)) // saturates: it has no infinity
    value = std::fmin(std::fmax(value, -448.0), 448.0);
  APFloat real(value);
  bool lost;
  real.convert(*semantics[static_cast<int>(type)], APFloat::rmNearestTiesToEven, &lost);
  if (type == DType::F64 || type == DType::F32)
    return ConstantFP::get(b.getContext(), real);
  return ConstantInt::get(b.getContext(), real.bitcastToAPInt());
}

Constant *Values::constant(const spec::Expr &node) {
  if (const double *real = std::get_if<double>(&node.constant))
    return constant(*real, node.type);
  return ConstantInt::getSigned(type(node.type), std::get<int64_t>(node.constant), true);
}

Value *Values::splat(Value *value, int lanes) {
  return lanes == 1 || value->getType()->isVectorTy() ? value : b.CreateVectorSplat(lanes, value);
}

void Values::unify(MutableArrayRef<Value *> values) {
  for (Value *wide : values)
    if (auto *vector = dyn_cast<FixedVectorType>(wide->getType()))
      for (Value *&value : values)
        value = splat(value, vector->getNumElements());
}

/// Floored, with x // 0 = 0 and no trap for the least integer by -1.
Value *Values::floorDiv(Value *x, Value *y, bool isSigned) {
  Value *zero = Constant::getNullValue(x->getType()), *one = ConstantInt::get(x->getType(), 1);
  Value *isZero = b.CreateICmpEQ(y, zero);
  if (!isSigned)
    return b.CreateSelect(isZero, zero, b.CreateUDiv(x, b.CreateSelect(isZero, one, y)));
  Value *isMinusOne = b.CreateICmpEQ(y, Constant::getAllOnesValue(x->getType()));
  Value *safe = b.CreateSelect(b.CreateOr(isZero, isMinusOne), one, y);
  Value *quotient = b.CreateSDiv(x, safe);
  Value *rest = b.CreateSub(x, b.CreateMul(quotient, safe));
  Value *differs = b.CreateICmpSLT(b.CreateXor(rest, safe), zero);
  Value *isBelow = b.CreateAnd(b.CreateICmpNE(rest, zero), differs);
  quotient = b.CreateSub(quotient, b.CreateZExt(isBelow, x->getType()));
  quotient = b.CreateSelect(isMinusOne, b.CreateNeg(x), quotient);
  return b.CreateSelect(isZero, zero, quotient);
}

Value *Values::extreme(Value *x, Value *y, DType type, bool isMax) {
  if (!isFloat(type)) {
    bool isSigned = type != DType::U8 && type != DType::Bool;
    Intrinsic::ID id = isMax ? (isSigned ? Intrinsic::smax : Intrinsic::umax)
                             : (isSigned ? Intrinsic::smin : Intrinsic::umin);
    return b.CreateBinaryIntrinsic(id, x, y);
  }
  // Which zero of two is left open: an order of zeros would take x86 four instructions more.
  FastMathFlags flags;
  flags.setNoSignedZeros();
  return b.CreateBinaryIntrinsic(isMax ? Intrinsic::maximum : Intrinsic::minimum, x, y,
                                 FMFSource(flags));
}

Value *Values::compare(Op op, Value *x, Value *y, DType type) {
  bool isUnsigned = type == DType::U8 || type == DType::Bool;
  switch (op) {
  case Op::Eq:
    return isFloat(type) ? b.CreateFCmpOEQ(x, y) : b.CreateICmpEQ(x, y);
  case Op::Ne:
    return isFloat(type) ? b.CreateFCmpUNE(x, y) : b.CreateICmpNE(x, y);
  case Op::Lt:
    return isFloat(type) ? b.CreateFCmpOLT(x, y)
           : isUnsigned  ? b.CreateICmpULT(x, y)
                         : b.CreateICmpSLT(x, y);
  default:
    return isFloat(type) ? b.CreateFCmpOLE(x, y)
           : isUnsigned  ? b.CreateICmpULE(x, y)
                         : b.CreateICmpSLE(x, y);
  }
}

Value *Values::whole(Op op, ArrayRef<Value *> args, DType type) {
  Value *x = args[0], *y = args.size() > 1 ? args[1] : nullptr;
  bool isSigned = type != DType::U8;
  switch (op) {
  case Op::Add:
    return b.CreateAdd(x, y);
  case Op::Sub:
    return b.CreateSub(x, y);
  case Op::Mul:
    return b.CreateMul(x, y);
  case Op::FloorDiv:
    return floorDiv(x, y, isSigned);
  case Op::Mod: {
    Value *rest = b.CreateSub(x, b.CreateMul(floorDiv(x, y, isSigned), y));
    Value *zero = Constant::getNullValue(x->getType());
    return b.CreateSelect(b.CreateICmpEQ(y, zero), zero, rest);
  }
  case Op::Neg:
    return b.CreateNeg(x);
  case Op::Abs:
    return isSigned ? b.CreateBinaryIntrinsic(Intrinsic::abs, x, b.getFalse()) : x;
  case Op::And:
    return b.CreateAnd(x, y);
  case Op::Or:
    return b.CreateOr(x, y);
  case Op::Xor:
    return b.CreateXor(x, y);
  case Op::Not:
    return b.CreateNot(x);
  default: {
    bool isLeft = op == Op::Shl;
    Value *zero = Constant::getNullValue(x->getType());
    Value *width = ConstantInt::get(x->getType(), byteSize(type) * 8);
    Value *fits = b.CreateICmpULT(y, width), *amount = b.CreateSelect(fits, y, zero);
    Value *shifted = isLeft     ? b.CreateShl(x, amount)
                     : isSigned ? b.CreateAShr(x, amount)
                                : b.CreateLShr(x, amount);
    Value *gone = isLeft || !isSigned ? zero : b.CreateSExt(b.CreateICmpSLT(x, zero), x->getType());
    return b.CreateSelect(fits, shifted, gone);
  }
  }
}

Value *Values::apply(const spec::Expr &node, SmallVector<Value *, 3> args) {
  unify(args);
  DType from = node.args[0]->type;
  switch (node.op) {
  case Op::Cast:
    return cast(args[0], from, node.type);
  case Op::Bitcast:
    return b.CreateBitCast(args[0], like(args[0], type(node.type)));
  case Op::Select:
    return b.CreateSelect(args[0], args[1], args[2]);
  case Op::Eq:
  case Op::Ne:
  case Op::Lt:
  case Op::Le:
    return compare(node.op, args[0], args[1], from);
  case Op::Max:
  case Op::Min:
    return extreme(args[0], args[1], from, node.op == Op::Max);
  case Op::MulAdd:
    return b.CreateIntrinsic(Intrinsic::fma, {args[0]->getType()}, args);
  case Op::Ldexp: {
    Value *power = b.CreateTrunc(args[1], like(args[1], b.getInt32Ty()));
    return b.CreateIntrinsic(Intrinsic::ldexp, {args[0]->getType(), power->getType()},
                             {args[0], power});
  }
  default:
    return isFloat(from) ? real(node.op, args, from) : whole(node.op, args, from);
  }
}

Accumulated Values::combine(Combiner combiner, DType type, Accumulated acc, Accumulated item) {
  bool isMax = combiner == Combiner::Max || combiner == Combiner::ArgMax;
  Value *pair[] = {acc.value, item.value};
  unify(pair);
  auto [x, y] = pair;
  switch (combiner) {
  case Combiner::Add:
    return {isFloat(type) ? b.CreateFAdd(x, y) : b.CreateAdd(x, y)};
  case Combiner::Mul:
    return {isFloat(type) ? b.CreateFMul(x, y) : b.CreateMul(x, y)};
  case Combiner::And:
    return {b.CreateAnd(x, y)};
  case Combiner::Or:
    return {b.CreateOr(x, y)};
  case Combiner::Max:
  case Combiner::Min:
    return {extreme(y, x, type, isMax)}; // x86 asks the first for NaN: the item does not wait
  default:
    break;
  }
  Value *positions[] = {acc.position, item.position, x};
  unify(positions);
  Value *wins = compare(Op::Lt, isMax ? x : y, isMax ? y : x, type);
  Value *equal = compare(Op::Eq, x, y, type);
  if (isFloat(type)) {
    Value *xNaN = b.CreateFCmpUNO(x, x), *yNaN = b.CreateFCmpUNO(y, y);
    wins = b.CreateOr(wins, b.CreateAnd(yNaN, b.CreateNot(xNaN)));
    equal = b.CreateOr(equal, b.CreateAnd(xNaN, yNaN));
  }
  Value *isEarlier = b.CreateICmpSLT(positions[1], positions[0]);
  wins = b.CreateOr(wins, b.CreateAnd(equal, isEarlier));
  return {b.CreateSelect(wins, y, x), b.CreateSelect(wins, positions[1], positions[0])};
}

Accumulated Values::identity(Combiner combiner, DType type) {
  bool isMax = combiner == Combiner::Max || combiner == Combiner::ArgMax;
  Value *far = b.getInt64(INT64_MAX);
  if (combiner == Combiner::Add || combiner == Combiner::Or)
    return {combiner == Combiner::Add && isFloat(type) ? constant(-0.0, type)
                                                       : Constant::getNullValue(this->type(type))};
  if (combiner == Combiner::Mul)
    return {constant(1.0, type)};
  if (combiner == Combiner::And)
    return {Constant::getAllOnesValue(this->type(type))};
  if (isFloat(type))
    return {constant(isMax ? -INFINITY : INFINITY, type), far};
  unsigned bits = this->type(type)->getIntegerBitWidth();
  bool isUnsigned = type == DType::U8 || type == DType::Bool;
  APInt extreme = isUnsigned ? (isMax ? APInt::getZero(bits) : APInt::getAllOnes(bits))
                  : isMax    ? APInt::getSignedMinValue(bits)
                             : APInt::getSignedMaxValue(bits);
  return {ConstantInt::get(b.getContext(), extreme), far};
}

Value *Values::multiplyAdd(Value *x, Value *y, Value *acc) {
  Value *args[] = {x, y, acc};
  unify(args);
  return b.CreateIntrinsic(Intrinsic::fmuladd, {args[0]->getType()}, {args[0], args[1], args[2]});
}
