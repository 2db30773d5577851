//===- Floats.cpp - arithmetic and formats of floats ----------------------===//

#include "codegen/llvm/Values.h"

#include "llvm/IR/Intrinsics.h"

#include <cmath>

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using spec::Op;

/// Nearest even, with no call on targets that have no instruction: adding and subtracting 2^52 (or
/// 2^23) rounds what is smaller.
Value *Values::roundEven(Value *x) {
  if (hasRounding)
    return b.CreateUnaryIntrinsic(Intrinsic::roundeven, x);
  bool isDouble = x->getType()->getScalarType()->isDoubleTy();
  Value *magic = ConstantFP::get(x->getType(), isDouble ? 0x1p52 : 0x1p23);
  Value *magnitude = b.CreateUnaryIntrinsic(Intrinsic::fabs, x);
  Value *rounded = b.CreateFSub(b.CreateFAdd(magnitude, magic), magic);
  rounded = b.CreateBinaryIntrinsic(Intrinsic::copysign, rounded, x);
  return b.CreateSelect(b.CreateFCmpOLT(magnitude, magic), rounded, x);
}

Value *Values::floorOf(Value *x) {
  if (hasRounding)
    return b.CreateUnaryIntrinsic(Intrinsic::floor, x);
  Value *rounded = roundEven(x);
  Value *less = b.CreateFSub(rounded, ConstantFP::get(x->getType(), 1.0));
  return b.CreateSelect(b.CreateFCmpOGT(rounded, x), less, rounded);
}

Value *Values::real(Op op, ArrayRef<Value *> args, DType type) {
  Value *x = args[0], *y = args.size() > 1 ? args[1] : nullptr;
  switch (op) {
  case Op::Add:
    return b.CreateFAdd(x, y);
  case Op::Sub:
    return b.CreateFSub(x, y);
  case Op::Mul:
    return b.CreateFMul(x, y);
  case Op::Div:
    return b.CreateFDiv(x, y);
  case Op::Neg:
    return b.CreateFNeg(x);
  case Op::Abs:
    return b.CreateUnaryIntrinsic(Intrinsic::fabs, x);
  case Op::Sqrt:
    return b.CreateUnaryIntrinsic(Intrinsic::sqrt, x);
  case Op::Floor:
    return floorOf(x);
  case Op::Ceil:
    return b.CreateFNeg(floorOf(b.CreateFNeg(x)));
  default:
    return roundEven(x);
  }
}

/// The format of a float narrower than f32.
static std::pair<int, int> formatOf(DType type) {
  if (type == DType::F16)
    return {5, 10};
  if (type == DType::BF16)
    return {8, 7};
  return type == DType::F8E4M3 ? std::pair(4, 3) : std::pair(5, 2);
}

/// Bit pattern to f32, exactly. Scaling by a power of two puts subnormal numbers right.
Value *Values::widen(Value *bits, DType from) {
  Type *f32 = like(bits, b.getFloatTy()), *i32 = like(bits, b.getInt32Ty());
  if (from == DType::F16 && hasHalf)
    return b.CreateFPExt(b.CreateBitCast(bits, like(bits, b.getHalfTy())), f32);
  Value *wide = b.CreateZExt(bits, i32);
  if (from == DType::BF16)
    return b.CreateBitCast(b.CreateShl(wide, 16), f32);
  auto [exponent, mantissa] = formatOf(from);
  int bias = (1 << (exponent - 1)) - 1, width = exponent + mantissa;
  auto word = [&](uint64_t value) { return ConstantInt::get(i32, value); };
  Value *magnitude = b.CreateAnd(wide, word((1u << width) - 1));
  Value *shifted = b.CreateShl(magnitude, 23 - mantissa);
  Value *scaled = b.CreateFMul(b.CreateBitCast(shifted, f32),
                               ConstantFP::get(f32, std::ldexp(1.0, 127 - bias)));
  Value *special, *isSpecial;
  if (from == DType::F8E4M3) {
    isSpecial = b.CreateICmpEQ(magnitude, word(0x7f));
    special = word(0x7fc00000);
  } else {
    isSpecial = b.CreateICmpUGE(magnitude, word(((1u << exponent) - 1) << mantissa));
    special = b.CreateOr(shifted, word(0x7f800000));
  }
  Value *result = b.CreateSelect(isSpecial, special, b.CreateBitCast(scaled, i32));
  Value *sign = b.CreateShl(b.CreateAnd(wide, word(1u << width)), 31 - width);
  return b.CreateBitCast(b.CreateOr(result, sign), f32);
}

/// f32 to a bit pattern (as i32), to nearest even. Formats without infinity saturate.
Value *Values::narrowBits(Value *value, int exponent, int mantissa, bool hasInfinity) {
  Type *f32 = value->getType(), *i32 = like(value, b.getInt32Ty());
  auto word = [&](uint64_t v) { return ConstantInt::get(i32, v); };
  int bias = (1 << (exponent - 1)) - 1, shift = 23 - mantissa, width = exponent + mantissa;
  Value *bits = b.CreateBitCast(value, i32);
  Value *magnitude = b.CreateAnd(bits, word(0x7fffffff));
  Value *odd = b.CreateAnd(b.CreateLShr(magnitude, shift), word(1));
  Value *normal = b.CreateAdd(magnitude, b.CreateAdd(odd, word((1u << (shift - 1)) - 1)));
  normal =
      b.CreateSub(b.CreateLShr(normal, shift), word(static_cast<uint32_t>(127 - bias) << mantissa));
  // Below the normal range the adder of floats rounds at the unit of the format.
  double magic = std::ldexp(1.0, 1 - bias - mantissa + 23);
  Value *sum = b.CreateFAdd(b.CreateBitCast(magnitude, f32), ConstantFP::get(f32, magic));
  Value *small =
      b.CreateSub(b.CreateBitCast(sum, i32), b.CreateBitCast(ConstantFP::get(f32, magic), i32));
  Value *isSmall = b.CreateICmpULT(magnitude, word(static_cast<uint32_t>(128 - bias) << 23));
  Value *result = b.CreateSelect(isSmall, small, normal);
  uint32_t infinity = ((1u << exponent) - 1) << mantissa;
  uint32_t largest = hasInfinity ? infinity : (1u << width) - 2;
  uint32_t nan = hasInfinity ? infinity | 1u << (mantissa - 1) : (1u << width) - 1;
  result = b.CreateBinaryIntrinsic(Intrinsic::umin, result, word(largest));
  Value *isOverflow = b.CreateICmpUGE(magnitude, word(0x7f800000));
  result = b.CreateSelect(isOverflow, word(largest), result);
  result = b.CreateSelect(b.CreateICmpUGT(magnitude, word(0x7f800000)), word(nan), result);
  Value *sign = b.CreateAnd(b.CreateLShr(bits, 31 - width), word(1u << width));
  return b.CreateOr(result, sign);
}

/// f64 to f32, to odd: rounding the result again to fewer bits rounds as if done once.
Value *Values::toF32Odd(Value *value) {
  Type *f32 = like(value, b.getFloatTy()), *i32 = like(value, b.getInt32Ty());
  Value *single = b.CreateFPTrunc(value, f32);
  Value *back = b.CreateFPExt(single, value->getType());
  Value *isInexact = b.CreateFCmpONE(back, value);
  Value *isLarger = b.CreateFCmpOGT(b.CreateUnaryIntrinsic(Intrinsic::fabs, back),
                                    b.CreateUnaryIntrinsic(Intrinsic::fabs, value));
  Value *bits = b.CreateBitCast(single, i32);
  Value *odd = b.CreateOr(b.CreateSub(bits, b.CreateZExt(isLarger, i32)), ConstantInt::get(i32, 1));
  return b.CreateBitCast(b.CreateSelect(isInexact, odd, bits), f32);
}

/// An i64 as f64 that rounds to fewer bits as if done once: above 2^53, where f64 itself would
/// round, what lies between multiples of 2^12 becomes the middle, which no narrower float ties at.
Value *Values::toF64Odd(Value *value) {
  auto word = [&](int64_t v) { return ConstantInt::getSigned(value->getType(), v); };
  Value *isWhole = b.CreateICmpEQ(b.CreateAnd(value, word(0xfff)), word(0));
  Value *middle =
      b.CreateOr(b.CreateAnd(value, word(-0x1000)), b.CreateSelect(isWhole, word(0), word(0x800)));
  Value *isExact =
      b.CreateICmpULE(b.CreateAdd(value, word(int64_t(1) << 53)), word(int64_t(1) << 54));
  return b.CreateSIToFP(b.CreateSelect(isExact, value, middle), like(value, b.getDoubleTy()));
}

Value *Values::narrow(Value *value, DType to) {
  if (value->getType()->getScalarType()->isDoubleTy())
    value = toF32Odd(value);
  Type *bits = like(value, type(to));
  if (to == DType::F16 && hasHalf)
    return b.CreateBitCast(b.CreateFPTrunc(value, like(value, b.getHalfTy())), bits);
  auto [exponent, mantissa] = formatOf(to);
  return b.CreateTrunc(narrowBits(value, exponent, mantissa, to != DType::F8E4M3), bits);
}

/// f32 to i32, saturating, NaN to 0. LLVM 22 takes fptosi.sat of these apart into scalars, since
/// 2^31 - 1 is no f32; the largest f32 below 2^31 is 2^31 - 128.
Value *Values::toI32(Value *value, Type *target) {
  Type *type = value->getType();
  auto number = [&](double x) { return ConstantFP::get(type, x); };
  Value *x = b.CreateSelect(b.CreateFCmpUNO(value, value), number(0), value);
  x = b.CreateSelect(b.CreateFCmpOLT(x, number(-2147483648.0)), number(-2147483648.0), x);
  Value *inside = b.CreateSelect(b.CreateFCmpOGT(x, number(2147483520.0)), number(2147483520.0), x);
  return b.CreateSelect(b.CreateFCmpOGE(x, number(2147483648.0)),
                        ConstantInt::get(target, INT32_MAX), b.CreateFPToSI(inside, target));
}

Value *Values::cast(Value *value, DType from, DType to) {
  if (from == to)
    return value;
  Type *target = like(value, type(to));
  bool isUnsigned = from == DType::U8 || from == DType::Bool;
  auto isNarrow = [](DType t) { return isFloat(t) && byteSize(t) < 4; };
  if (isNarrow(from))
    return cast(widen(value, from), DType::F32, to);
  if (isNarrow(to)) {
    if (from == DType::I64)
      value = toF64Odd(value);
    else if (!isFloat(from))
      value = cast(value, from, byteSize(from) > 2 ? DType::F64 : DType::F32);
    return narrow(value, to);
  }
  if (isFloat(from)) {
    if (isFloat(to))
      return b.CreateFPCast(value, target);
    if (to == DType::Bool)
      return b.CreateFCmpUNE(value, Constant::getNullValue(value->getType()));
    if (from == DType::F32 && to == DType::I32 && value->getType()->isVectorTy())
      return toI32(value, target);
    Intrinsic::ID id = to == DType::U8 ? Intrinsic::fptoui_sat : Intrinsic::fptosi_sat;
    return b.CreateIntrinsic(id, {target, value->getType()}, {value});
  }
  if (to == DType::Bool)
    return b.CreateICmpNE(value, Constant::getNullValue(value->getType()));
  if (isFloat(to))
    return isUnsigned ? b.CreateUIToFP(value, target) : b.CreateSIToFP(value, target);
  return b.CreateIntCast(value, target, !isUnsigned);
}
