//===- Elementwise.cpp - one element in, one element out ------------------===//

#include "ir/ops/Common.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/ScopedPrinter.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

using FloatFn1 = double (*)(double);
using IntFn1 = int64_t (*)(int64_t);
using FloatFn2 = double (*)(double, double);
using IntFn2 = int64_t (*)(int64_t, int64_t);

static LogicalResult map1(ArrayRef<const Tensor *> in, Tensor &out, FloatFn1 onFloat,
                          IntFn1 onInt) {
  const Tensor &x = *in[0];
  for (int64_t i = 0, n = x.numElements(); i < n; ++i) {
    if (!x.isFloat())
      out.ints[i] = wrapTo(out.type, onInt(x.ints[i]));
    else if (out.isFloat())
      out.floats[i] = onFloat(x.floats[i]);
    else
      out.ints[i] = onFloat(x.floats[i]) != 0;
  }
  return success();
}

static LogicalResult map2(ArrayRef<const Tensor *> in, Tensor &out, FloatFn2 onFloat,
                          IntFn2 onInt) {
  const Tensor &a = *in[0], &b = *in[1];
  for (int64_t i = 0, n = a.numElements(); i < n; ++i) {
    if (!a.isFloat())
      out.ints[i] = wrapTo(out.type, onInt(a.ints[i], b.ints[i]));
    else if (out.isFloat())
      out.floats[i] = onFloat(a.floats[i], b.floats[i]);
    else
      out.ints[i] = onFloat(a.floats[i], b.floats[i]) != 0;
  }
  return success();
}

/// Type of the result: the operand's, or bool of the operand's shape.
static LogicalResult inferElementwise(MaybeLoc loc, StringRef op, ValueRange operands,
                                      Domain domain, bool toBool, SmallVectorImpl<Type> &results) {
  Type type = operands[0].getType();
  if (failed(requireDomain(loc, op, type, domain)))
    return failure();
  if (operands.size() == 2 && operands[1].getType() != type)
    return emitOptionalError(loc, "'", op, "' expected operands of one type, got ", typeText(type),
                             " and ", typeText(operands[1].getType()));
  results.push_back(toBool ? tensorType(type.getContext(), DType::Bool, dimsOf(type)) : type);
  return success();
}

// (op class, domain, result is bool, on floats, on integers)
#define KILN_UNARY(Op, domain, toBool, floatExpr, intExpr)                                         \
  KILN_INFER(Op) {                                                                                 \
    return inferElementwise(loc, getOperationName().drop_front(5), operands, Domain::domain,       \
                            toBool, results);                                                      \
  }                                                                                                \
  LogicalResult Op::verify() {                                                                     \
    return requireDomain(getLoc(), getOperationName().drop_front(5), getX().getType(),             \
                         Domain::domain); /* elementwise-c1 */                                     \
  }                                                                                                \
  KILN_EVALUATE(Op) {                                                                              \
    return map1(                                                                                   \
        operands, results[0], [](double x) -> double { return floatExpr; },                        \
        [](int64_t x) -> int64_t { return intExpr; });                                             \
  }

static int64_t wrapAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
static int64_t wrapMul(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
static double sign(double x) { return std::isnan(x) ? x : (x > 0) - (x < 0); }
static int64_t negate(int64_t x) { return static_cast<int64_t>(0 - static_cast<uint64_t>(x)); }

KILN_UNARY(NegOp, Number, false, -x, negate(x))
KILN_UNARY(AbsOp, Number, false, std::fabs(x), x < 0 ? negate(x) : x)
KILN_UNARY(SignOp, Number, false, sign(x), (x > 0) - (x < 0))
KILN_UNARY(ExpOp, Float, false, std::exp(x), x)
KILN_UNARY(LogOp, Float, false, std::log(x), x)
KILN_UNARY(Expm1Op, Float, false, std::expm1(x), x)
KILN_UNARY(Log1pOp, Float, false, std::log1p(x), x)
KILN_UNARY(SqrtOp, Float, false, std::sqrt(x), x)
KILN_UNARY(RsqrtOp, Float, false, 1 / std::sqrt(x), x)
KILN_UNARY(ReciprocalOp, Float, false, 1 / x, x)
KILN_UNARY(TanhOp, Float, false, std::tanh(x), x)
KILN_UNARY(SigmoidOp, Float, false, 1 / (1 + std::exp(-x)), x)
KILN_UNARY(ErfOp, Float, false, std::erf(x), x)
KILN_UNARY(SinOp, Float, false, std::sin(x), x)
KILN_UNARY(CosOp, Float, false, std::cos(x), x)
KILN_UNARY(TanOp, Float, false, std::tan(x), x)
KILN_UNARY(AsinOp, Float, false, std::asin(x), x)
KILN_UNARY(AcosOp, Float, false, std::acos(x), x)
KILN_UNARY(AtanOp, Float, false, std::atan(x), x)
KILN_UNARY(SinhOp, Float, false, std::sinh(x), x)
KILN_UNARY(CoshOp, Float, false, std::cosh(x), x)
KILN_UNARY(AsinhOp, Float, false, std::asinh(x), x)
KILN_UNARY(AcoshOp, Float, false, std::acosh(x), x)
KILN_UNARY(AtanhOp, Float, false, std::atanh(x), x)
KILN_UNARY(Exp2Op, Float, false, std::exp2(x), x)
KILN_UNARY(Log2Op, Float, false, std::log2(x), x)
KILN_UNARY(Log10Op, Float, false, std::log10(x), x)
KILN_UNARY(TruncOp, Float, false, std::trunc(x), x)
KILN_UNARY(SquareOp, Number, false, x *x, wrapMul(x, x))
KILN_UNARY(ReluOp, Number, false, std::isnan(x) || x > 0 ? x : 0.0, x > 0 ? x : 0)
KILN_UNARY(SiluOp, Float, false, x / (1 + std::exp(-x)), x)
KILN_UNARY(RoundOp, Float, false, std::nearbyint(x), x)
KILN_UNARY(FloorOp, Float, false, std::floor(x), x)
KILN_UNARY(CeilOp, Float, false, std::ceil(x), x)
KILN_UNARY(IsNanOp, Float, true, std::isnan(x), 0)
KILN_UNARY(IsInfOp, Float, true, std::isinf(x), 0)
KILN_UNARY(IsFiniteOp, Float, true, std::isfinite(x), 0)
KILN_UNARY(NotOp, Bool, false, x, !x)

#define KILN_BINARY(Op, domain, toBool, floatExpr, intExpr)                                        \
  KILN_INFER(Op) {                                                                                 \
    return inferElementwise(loc, getOperationName().drop_front(5), operands, Domain::domain,       \
                            toBool, results);                                                      \
  }                                                                                                \
  LogicalResult Op::verify() {                                                                     \
    return requireDomain(getLoc(), getOperationName().drop_front(5), getA().getType(),             \
                         Domain::domain); /* elementwise-c1 */                                     \
  }                                                                                                \
  KILN_EVALUATE(Op) {                                                                              \
    return map2(                                                                                   \
        operands, results[0], [](double a, double b) -> double { return floatExpr; },              \
        [](int64_t a, int64_t b) -> int64_t { return intExpr; });                                  \
  }

static int64_t floorDivide(int64_t a, int64_t b) {
  if (b == 0)
    return 0;
  if (b == -1)
    return negate(a);
  int64_t q = a / b;
  return a % b != 0 && (a % b < 0) != (b < 0) ? q - 1 : q;
}
static int64_t floorMod(int64_t a, int64_t b) {
  return b == 0 ? 0 : wrapAdd(a, negate(wrapMul(b, floorDivide(a, b))));
}
/// The floor of the exact quotient: where the rounded one is whole, the product tells whether the
/// exact one lies below.
static double floatFloorDivide(double a, double b) {
  double quotient = a / b, whole = std::floor(quotient), over = std::fma(whole, b, -a);
  bool isBelow = whole == quotient && (b < 0 ? over < 0 : over > 0);
  return isBelow ? whole - 1 : whole;
}
static double floatMod(double a, double b) {
  double r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
/// a^b modulo 2^64; what a fraction leaves towards 0.
static int64_t wholePower(int64_t a, int64_t b) {
  if (b < 0)
    return a == 1 || (a == -1 && b % 2 == 0) ? 1 : a == -1 ? -1 : 0;
  int64_t power = 1;
  for (; b; b >>= 1, a = wrapMul(a, a))
    power = b & 1 ? wrapMul(power, a) : power;
  return power;
}
static double larger(double a, double b) { return std::isnan(a) || a > b ? a : b; }
static double smaller(double a, double b) { return std::isnan(a) || a < b ? a : b; }
/// Shifts as exact integers; the narrower type's width is applied by wrapping (left) or is implied
/// by the sign extension (right).
static int64_t shiftLeft(int64_t a, int64_t b) {
  return b < 0 || b >= 64 ? 0 : static_cast<int64_t>(static_cast<uint64_t>(a) << b);
}
static int64_t shiftRight(int64_t a, int64_t b) {
  return b < 0 || b >= 64 ? (a < 0 ? -1 : 0) : a >> b;
}

KILN_BINARY(AddOp, Number, false, a + b, wrapAdd(a, b))
KILN_BINARY(SubOp, Number, false, a - b, wrapAdd(a, negate(b)))
KILN_BINARY(MulOp, Number, false, a *b, wrapMul(a, b))
KILN_BINARY(DivOp, Float, false, a / b, a)
KILN_BINARY(FloorDivOp, Number, false, floatFloorDivide(a, b), floorDivide(a, b))
KILN_BINARY(ModOp, Number, false, floatMod(a, b), floorMod(a, b))
KILN_BINARY(PowOp, Number, false, std::pow(a, b), wholePower(a, b))
KILN_BINARY(Atan2Op, Float, false, std::atan2(a, b), a)
KILN_BINARY(MaximumOp, Number, false, larger(a, b), a > b ? a : b)
KILN_BINARY(MinimumOp, Number, false, smaller(a, b), a < b ? a : b)
KILN_BINARY(BitAndOp, Integer, false, a, a &b)
KILN_BINARY(BitOrOp, Integer, false, a, a | b)
KILN_BINARY(BitXorOp, Integer, false, a, a ^ b)
KILN_BINARY(ShlOp, Integer, false, a, shiftLeft(a, b))
KILN_BINARY(ShrOp, Integer, false, a, shiftRight(a, b))
KILN_BINARY(LogicalAndOp, Bool, false, a, a &b)
KILN_BINARY(LogicalOrOp, Bool, false, a, a | b)
KILN_BINARY(EqOp, Any, true, a == b, a == b)
KILN_BINARY(NeOp, Any, true, a != b, a != b)
KILN_BINARY(LtOp, Number, true, a < b, a < b)
KILN_BINARY(LeOp, Number, true, a <= b, a <= b)
KILN_BINARY(GtOp, Number, true, a > b, a > b)
KILN_BINARY(GeOp, Number, true, a >= b, a >= b)

//===----------------------------------------------------------------------===//
// Ops with attributes
//===----------------------------------------------------------------------===//

KILN_INFER(GeluOp) {
  return inferElementwise(loc, "gelu", operands, Domain::Float, false, results);
}

LogicalResult GeluOp::verify() {
  if (failed(requireDomain(getLoc(), "gelu", getX().getType(), Domain::Float))) // gelu-c1
    return failure();
  if (getApproximate() != "none" && getApproximate() != "tanh") // gelu-c2
    return emitOpError("expected 'approximate' to be \"none\" or \"tanh\", got \"")
           << getApproximate() << "\"";
  return success();
}

KILN_EVALUATE(GeluOp) {
  if (getApproximate() == "tanh")
    return map1(
        operands, results[0],
        [](double x) -> double {
          // x / 2 (1 + tanh(u)), whose sum would cancel.
          long double u = std::sqrt(2 / 3.14159265358979323846264L) * (x + 0.044715L * x * x * x);
          return static_cast<double>(x / (1 + std::exp(-2 * u)));
        },
        nullptr);
  // In long double, since erfc multiplies the error of its argument by the argument's square.
  return map1(
      operands, results[0],
      [](double x) -> double {
        return static_cast<double>(0.5L * x * std::erfc(-x * std::sqrt(0.5L)));
      },
      nullptr);
}

KILN_INFER(ClampOp) {
  return inferElementwise(loc, "clamp", operands, Domain::Number, false, results);
}

LogicalResult ClampOp::verify() {
  if (failed(requireDomain(getLoc(), "clamp", getX().getType(), Domain::Number))) // clamp-c1
    return failure();
  if (!(getMin() <= getMax())) // clamp-c2; false for NaN as well
    return emitOpError("expected min <= max, got ") << llvm::to_string(
               llvm::format("%g and %g", getMin().convertToDouble(), getMax().convertToDouble()));
  return success();
}

KILN_EVALUATE(ClampOp) {
  const Tensor &x = *operands[0];
  double low = getMin().convertToDouble(), high = getMax().convertToDouble();
  for (int64_t i = 0, n = x.numElements(); i < n; ++i) {
    if (x.isFloat()) {
      double v = x.floats[i];
      results[0].floats[i] = std::isnan(v) ? v : std::fmin(std::fmax(v, low), high);
    } else {
      // Bounds outside of the type are its ends.
      int64_t l = truncateTo(x.type, std::ceil(low)), h = truncateTo(x.type, std::floor(high));
      results[0].ints[i] = std::min(std::max(x.ints[i], l), h);
    }
  }
  return success();
}

KILN_INFER(WhereOp) {
  for (Value v : operands.drop_front())
    if (v.getType() != operands[1].getType() ||
        dimsOf(v.getType()) != dimsOf(operands[0].getType()))
      return emitOptionalError(
          loc, "'where' expected operands of one shape and type, got ", // where-c2
          typeText(operands[0].getType()), ", ", typeText(operands[1].getType()), " and ",
          typeText(operands[2].getType()));
  if (failed(requireDomain(loc, "where", operands[0].getType(), Domain::Bool))) // where-c1
    return failure();
  results.push_back(operands[1].getType());
  return success();
}

KILN_EVALUATE(WhereOp) {
  for (int64_t i = 0, n = operands[0]->numElements(); i < n; ++i)
    copyElement(*operands[operands[0]->ints[i] ? 1 : 2], i, results[0], i);
  return success();
}

KILN_INFER(CastOp) {
  Adaptor op(operands, attributes, properties, regions);
  results.push_back(tensorType(op.getDtype(), dimsOf(operands[0].getType()))); // cast-c1
  return success();
}

KILN_EVALUATE(CastOp) {
  const Tensor &x = *operands[0];
  Tensor &y = results[0];
  for (int64_t i = 0, n = x.numElements(); i < n; ++i) {
    if (y.isFloat())
      y.floats[i] = x.isFloat() ? roundTo(y.type, x.floats[i]) : roundTo(y.type, x.ints[i]);
    else if (y.type == DType::Bool)
      y.ints[i] = x.isFloat() ? x.floats[i] != 0 : x.ints[i] != 0;
    else
      y.ints[i] = x.isFloat() ? truncateTo(y.type, x.floats[i]) : wrapTo(y.type, x.ints[i]);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Folds
//===----------------------------------------------------------------------===//

/// Whether a value is a constant or `full` of one number.
static bool isSplat(Value value, double number) {
  if (auto full = value.getDefiningOp<FullOp>()) {
    Attribute attr = full.getValue();
    if (auto f = dyn_cast<FloatAttr>(attr))
      return f.getValueAsDouble() == number;
    return cast<IntegerAttr>(attr).getInt() == number;
  }
  return false;
}

// x + 0 is not folded for floats: -0 + 0 is +0.
static bool isIntegral(Value v) { return !isFloat(*dtypeOf(v.getType())); }
OpFoldResult AddOp::fold(FoldAdaptor) {
  return isIntegral(getA()) && isSplat(getB(), 0) ? getA() : Value();
}
OpFoldResult SubOp::fold(FoldAdaptor) { return isSplat(getB(), 0) ? getA() : Value(); }
OpFoldResult MulOp::fold(FoldAdaptor) {
  return isSplat(getB(), 1) ? getA() : isSplat(getA(), 1) ? getB() : Value();
}
OpFoldResult DivOp::fold(FoldAdaptor) { return isSplat(getB(), 1) ? getA() : Value(); }
OpFoldResult CastOp::fold(FoldAdaptor) { return getType() == getX().getType() ? getX() : Value(); }
