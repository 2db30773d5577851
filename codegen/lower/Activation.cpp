//===- Activation.cpp - activations and further functions -------------------===//
//
// Each in a form that loses nothing to cancellation or overflow. Where a parameter multiplies the
// argument of an exponential, f32 goes through f64: the error of the argument would be multiplied.
//
//===----------------------------------------------------------------------===//

#include "codegen/lower/Builder.h"
#include "codegen/spec/MathExprs.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::lower;
using namespace mlir;
using spec::ExprPtr;
using spec::math::E;
using SpecOp = spec::Op;

static E call(SpecOp op, const E &x) { return spec::apply(op, {x.node}); }
static E call(SpecOp op, const E &x, const E &y) { return spec::apply(op, {x.node, y.node}); }
static E absolute(const E &x) { return call(SpecOp::Abs, x); }
static E exp(const E &x) { return call(SpecOp::Exp, x); }
static E sqrt(const E &x) { return call(SpecOp::Sqrt, x); }
static E log1p(const E &x) { return lower::log1p(x.node); }
static E expm1(const E &x) { return lower::expm1(x.node); }
static E isPositive(const E &x) { return x.literal(0) < x; }
/// In [low, high]; NaN stays.
static E clamped(const E &x, double low, double high) {
  return call(SpecOp::Min, call(SpecOp::Max, x, x.literal(low)), x.literal(high));
}

/// The function of an f64, whatever x is.
static E inDouble(const E &x, llvm::function_ref<E(const E &)> function) {
  if (x.node->type == DType::F64)
    return function(x);
  return spec::cast(function(spec::cast(x.node, DType::F64)).node, x.node->type);
}

/// A magnitude with the sign of x, which is 0 where the magnitude is.
static E withSignOf(const E &x, const E &magnitude) {
  return select(isPositive(x), magnitude, select(x < 0.0, magnitude * -1.0, x));
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

/// scale * x, and scale * alpha * (exp(x / width) - 1) where x <= 0.
static E exponentialUnit(const E &x, double scale, double alpha, double width) {
  auto unit = [&](const E &v) {
    E inner = width == 1 ? v : v / v.literal(width);
    return select(isPositive(v), v * scale, expm1(inner) * (scale * alpha));
  };
  return width == 1 ? unit(x) : inDouble(x, unit);
}

/// log(1 + exp(x)), whose exponential is of -|x|.
static E softplus(const E &x) {
  return call(SpecOp::Max, x, x.literal(0)) + log1p(exp(absolute(x) * -1.0));
}

static E softplus(const E &x, double beta, double threshold) {
  auto plus = [&](const E &v) {
    E z = beta == 1 ? v : v * beta;
    E value = beta == 1 ? softplus(z) : softplus(z) / z.literal(beta);
    return select(z.literal(threshold) < z, v, value);
  };
  return beta == 1 ? plus(x) : inDouble(x, plus);
}

/// With e = exp(x), tanh(log(1 + e)) = n / (n + 2) of n = e (e + 2). The exponential is a square,
/// so that its product with x rounds once where it is a small number.
static E mish(const E &x) {
  E root = exp(call(SpecOp::Min, x, x.literal(20)) * 0.5), power = root * root;
  E bottom = power * (power + 2.0) + 2.0;
  E share = (power + 2.0) / bottom;
  return select(x < 0.0, x * root * root * share, x * (power * share));
}

static E hardsigmoid(const E &x) { return clamped(x + 3.0, 0, 6) / x.literal(6); }

static double toDouble(const llvm::APFloat &value) { return value.convertToDouble(); }

ExprPtr lower::activation(Operation *op, const ExprPtr &node) {
  E x = node;
  auto result =
      llvm::TypeSwitch<Operation *, std::optional<E>>(op)
          .Case([&](LeakyReluOp op) {
            return select(isPositive(x), x, x * toDouble(op.getNegativeSlope()));
          })
          .Case([&](EluOp op) { return exponentialUnit(x, 1, toDouble(op.getAlpha()), 1); })
          .Case([&](CeluOp op) {
            double alpha = toDouble(op.getAlpha());
            return exponentialUnit(x, 1, alpha, alpha);
          })
          .Case([&](SeluOp) {
            return exponentialUnit(x, 1.0507009873554804934193349852946,
                                   1.6732632423543772848170429916717, 1);
          })
          .Case([&](SoftplusOp op) {
            return softplus(x, toDouble(op.getBeta()), toDouble(op.getThreshold()));
          })
          .Case([&](MishOp) { return mish(x); })
          .Case([&](HardsigmoidOp) { return hardsigmoid(x); })
          .Case([&](HardswishOp) { return x * hardsigmoid(x); })
          .Case([&](SoftsignOp) { return x / (absolute(x) + 1.0); })
          .Case([&](LogSigmoidOp) { return softplus(x * -1.0) * -1.0; })
          .Case([&](SoftshrinkOp op) {
            double limit = toDouble(op.getLambd());
            E low = select(x < -limit, x + limit, select(x == x, x.literal(0), x));
            return select(x.literal(limit) < x, x - limit, low);
          })
          .Case([&](HardshrinkOp op) {
            double limit = toDouble(op.getLambd());
            E isInside =
                call(SpecOp::Le, x, x.literal(limit)) & call(SpecOp::Le, x.literal(-limit), x);
            return select(isInside, x.literal(0), x);
          })
          .Default([](Operation *) { return std::nullopt; });
  return result ? result->node : nullptr;
}

//===----------------------------------------------------------------------===//
// Further functions
//===----------------------------------------------------------------------===//

static E logarithm(const E &x, double scale) {
  return inDouble(x, [&](const E &v) { return call(SpecOp::Log, v) * scale; });
}

/// The exponential of half of it is squared: its square may overflow where half of that does not.
static E sinh(const E &x) {
  E a = absolute(x), less = expm1(a), root = exp(a * 0.5);
  E small = (less + less / (less + 1.0)) * 0.5;
  return withSignOf(x, select(a < 20.0, small, root * 0.5 * root));
}

static E cosh(const E &x) {
  E root = exp(absolute(x) * 0.5);
  return root * 0.5 * root + x.literal(0.5) / root / root;
}

/// Of numbers whose square may overflow, log(2 a).
static E largeOr(const E &a, double limit, const E &value) {
  return select(a.literal(limit) < a, call(SpecOp::Log, a) + M_LN2, value);
}

static E asinh(const E &x) {
  E a = absolute(x);
  E inner = a + a * a / (sqrt(a * a + 1.0) + 1.0);
  return withSignOf(x, largeOr(a, 0x1p60, log1p(inner)));
}

static E acosh(const E &x) {
  E t = x - 1.0;
  E value = largeOr(x, 0x1p60, log1p(t + sqrt(t * (t + 2.0))));
  return select(x < 1.0, x.literal(NAN), value);
}

static E atanh(const E &x) {
  E a = absolute(x);
  return withSignOf(x, log1p(a * 2.0 / (a.literal(1) - a)) * 0.5);
}

/// sqrt(1 - x^2)
static E otherLeg(const E &x) { return sqrt((x.literal(1) - x) * (x + 1.0)); }

static E trunc(const E &x) {
  return select(x < 0.0, call(SpecOp::Ceil, x), call(SpecOp::Floor, x));
}

ExprPtr lower::furtherFunction(StringRef name, const ExprPtr &node) {
  E x = node;
  if (name == "square")
    return (x * x).node;
  if (!isFloat(node->type))
    return nullptr;
  if (name == "tan")
    return (call(SpecOp::Sin, x) / call(SpecOp::Cos, x)).node;
  if (name == "asin")
    return call(SpecOp::Atan2, x, otherLeg(x)).node;
  if (name == "acos")
    return call(SpecOp::Atan2, otherLeg(x), x).node;
  if (name == "atan")
    return call(SpecOp::Atan2, x, x.literal(1)).node;
  if (name == "sinh")
    return sinh(x).node;
  if (name == "cosh")
    return cosh(x).node;
  if (name == "asinh")
    return asinh(x).node;
  if (name == "acosh")
    return acosh(x).node;
  if (name == "atanh")
    return atanh(x).node;
  if (name == "exp2")
    return call(SpecOp::Pow, x.literal(2), x).node;
  if (name == "log2")
    return logarithm(x, 1 / M_LN2).node;
  if (name == "log10")
    return logarithm(x, 1 / M_LN10).node;
  if (name == "trunc")
    return trunc(x).node;
  return nullptr;
}

/// a^b modulo 2^bits, a step for each bit of b; for a negative b what a fraction leaves towards 0.
ExprPtr lower::wholePower(const ExprPtr &a, const ExprPtr &b) {
  DType type = a->type;
  auto word = [&](int64_t value) { return E(spec::constant(value, type)); };
  int64_t bits = 8 * byteSize(type);
  bool isSigned = type != DType::U8;
  E base = a, exponent = b, power = word(1);
  for (int64_t bit = 0; bit < bits - (isSigned ? 1 : 0); ++bit) {
    E isSet = spec::apply(SpecOp::Ne, {(exponent & word(int64_t(1) << bit)).node, word(0).node});
    power = select(isSet, power * base, power);
    base = base * base;
  }
  if (!isSigned)
    return power.node;
  E isOdd = (exponent & word(1)) == word(1), isOne = E(a) == word(1);
  E fraction =
      select(E(a) == word(-1), select(isOdd, word(-1), word(1)), select(isOne, word(1), word(0)));
  return select(exponent < word(0), fraction, power).node;
}
