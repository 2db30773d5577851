//===- ExpandMath.cpp - transcendental functions as arithmetic ------------===//
//
// Every generator sees only the arithmetic built here, each operation strict, so that a function's
// value is the same on every host. NaN in gives NaN out (pow: but for x^0 and 1^y, which are 1).
// Integers come out of floats by adding 1.5 * 2^(mantissa bits), which rounds to nearest even and
// leaves the integer in the low bits: cheaper than a saturating cast.
//
//===----------------------------------------------------------------------===//

#include "codegen/spec/KernelSpec.h"

#include <limits>

using namespace kiln;
using namespace kiln::spec;

namespace {
#define KILN_MATH_POLY(Name, ...) constexpr double poly##Name[] = {__VA_ARGS__};
#include "codegen/Math.def"

/// An expression with operators; literals take the type of the other side.
struct E {
  ExprPtr node;
  E(ExprPtr node) : node(std::move(node)) {}
  E literal(double value) const { return constant(value, node->type); }
};
E operator+(const E &a, const E &b) { return apply(Op::Add, {a.node, b.node}); }
E operator-(const E &a, const E &b) { return apply(Op::Sub, {a.node, b.node}); }
E operator*(const E &a, const E &b) { return apply(Op::Mul, {a.node, b.node}); }
E operator/(const E &a, const E &b) { return apply(Op::Div, {a.node, b.node}); }
E operator+(const E &a, double b) { return a + a.literal(b); }
E operator-(const E &a, double b) { return a - a.literal(b); }
E operator*(const E &a, double b) { return a * a.literal(b); }
E operator<(const E &a, const E &b) { return apply(Op::Lt, {a.node, b.node}); }
E operator<(const E &a, double b) { return a < a.literal(b); }
E operator==(const E &a, const E &b) { return apply(Op::Eq, {a.node, b.node}); }
E operator==(const E &a, double b) { return a == a.literal(b); }
E operator&(const E &a, const E &b) { return apply(Op::And, {a.node, b.node}); }
E operator|(const E &a, const E &b) { return apply(Op::Or, {a.node, b.node}); }
E operator^(const E &a, const E &b) { return apply(Op::Xor, {a.node, b.node}); }
E select(const E &c, const E &a, const E &b) { return apply(Op::Select, {c.node, a.node, b.node}); }

/// Polynomial in x, coefficients in ascending order, by Horner's rule.
template <size_t N> E horner(const double (&coefficients)[N], const E &x) {
  E sum = x.literal(coefficients[N - 1]);
  for (size_t i = N - 1; i-- > 0;)
    sum = sum * x + coefficients[i];
  return sum;
}

/// What differs between f32 and f64.
struct Format {
  DType type, bits;
  int mantissa; ///< stored bits
  int64_t bias;
  double expLow, expHigh; ///< beyond: 0 and infinity
  double ln2High, ln2Low; ///< ln2High times an exponent is exact
  double smallestNormal;
  int64_t twoThirds; ///< bits of 2/3

  double magic() const { return 1.5 * static_cast<double>(int64_t(1) << mantissa); }
};

constexpr Format f32 = {DType::F32, DType::I32, 23,          127,
                        -105.0,     89.0,       0x1.62e4p-1, 0x1.7f7d1cf79abcap-20,
                        0x1p-126,   0x3f2aaaab};
constexpr Format f64 = {
    DType::F64, DType::I64,        52, 1023, -746.0, 710.0, 0x1.62e42fefp-1, 0x1.473de6af278edp-34,
    0x1p-1022,  0x3fe5555555555555};

/// Builds functions of one format.
struct Math {
  const Format &f;

  E integer(int64_t value) const { return constant(value, f.bits); }
  E asBits(const E &x) const { return bitcast(x.node, f.bits); }
  E asFloat(const E &x) const { return bitcast(x.node, f.type); }
  E shift(Op op, const E &x, int64_t by) const { return apply(op, {x.node, integer(by).node}); }
  bool single() const { return f.type == DType::F32; }

  /// 2^k for -bias < k <= bias + 1 (the last is infinity), k an integer expression.
  E power(const E &k) const { return asFloat(shift(Op::Shl, k + integer(f.bias), f.mantissa)); }
  E signBit(const E &x) const {
    return asBits(x) & integer(single() ? int64_t(INT32_MIN) : INT64_MIN);
  }
  E withSign(const E &magnitude, const E &sign) const { return asFloat(asBits(magnitude) ^ sign); }
  E absolute(const E &x) const { return apply(Op::Abs, {x.node}); }

  /// x = k log(2) + r; k as integer and r, for |x| below 2^9.
  std::pair<E, E> reduceExp(const E &x) const {
    E shifted = x * 1.4426950408889634 + f.magic();
    E k = shifted - f.magic();
    E r = (x - k * f.ln2High) - k * f.ln2Low;
    return {asBits(shifted) - asBits(x.literal(f.magic())), r};
  }
  /// exp(r) - 1 for |r| <= log(2) / 2.
  E expm1Reduced(const E &r) const {
    return r + (r * r) * (single() ? horner(polyExpF32, r) : horner(polyExpF64, r));
  }

  E exp(const E &x) const {
    E low = select(x < f.expLow, x.literal(f.expLow), x);
    E inside = select(low.literal(f.expHigh) < low, low.literal(f.expHigh), low);
    auto [k, r] = reduceExp(inside);
    // In two steps, so that results below the smallest normal number round once and 2^128 is
    // reached.
    E half = shift(Op::Shr, k, 1);
    return (expm1Reduced(r) + 1.0) * power(half) * power(k - half);
  }

  E log(const E &x) const {
    E isTiny = x < f.smallestNormal;
    double lift = single() ? 0x1p24 : 0x1p54;
    E scaled = select(isTiny, x * lift, x);
    E moved = asBits(scaled) - integer(f.twoThirds);
    E k = shift(Op::Shr, moved, f.mantissa);
    E fraction = moved & integer((int64_t(1) << f.mantissa) - 1);
    E t = asFloat(fraction + integer(f.twoThirds)) - 1.0; // in [-1/3, 1/3)
    E e = E(cast(k.node, f.type)) - select(isTiny, x.literal(single() ? 24 : 54), x.literal(0));
    E value = logReduced(t, e);
    double inf = std::numeric_limits<double>::infinity();
    value = select(x == 0.0, x.literal(-inf), value);
    value = select(x < 0.0, x.literal(std::numeric_limits<double>::quiet_NaN()), value);
    // Infinity and NaN are their own logarithms.
    return select(x < inf, value, select(x == inf, x, x + x));
  }
  /// log(1 + t) + e log(2).
  E logReduced(const E &t, const E &e) const {
    E square = t * t * 0.5;
    if (single())
      return e * f.ln2High + (t - (square - (t * t * t * horner(polyLogF32, t) + e * f.ln2Low)));
    E s = t / (t + 2.0), z = s * s;
    E r = z * horner(polyLogF64, z);
    return e * f.ln2High + (t - (square - (s * (square + r) + e * f.ln2Low)));
  }

  E tanh(const E &x) const {
    double limit = single() ? 20.0 : 44.0; // twice the place where tanh rounds to 1
    E twice = absolute(x) * 2.0;
    auto [k, r] = reduceExp(select(twice.literal(limit) < twice, twice.literal(limit), twice));
    E scale = power(k);
    E grown = scale * expm1Reduced(r) + (scale - 1.0); // exp(2|x|) - 1
    return withSign(grown / (grown + 2.0), signBit(x));
  }

  E erf(const E &x) const {
    if (single()) {
      // Exactly 1 where the function rounds to it: gelu multiplies what is left by x. The quotient,
      // which may round past 1 a little before, counts between only.
      E z = x * x;
      E value = x * horner(polyErfTopF32, z) / horner(polyErfBottomF32, z);
      E isHigh = (x.literal(3.92) < x) | (value.literal(1.0) < value);
      E isLow = (x < -3.92) | (value < -1.0);
      return select(isHigh, x.literal(1.0), select(isLow, x.literal(-1.0), value));
    }
    E a = absolute(x);
    E capped = select(a.literal(6.0) < a, a.literal(6.0), a);
    E small = select(a < 1.0, x, x.literal(0.0));
    E rest = exp(horner(polyErfLargeF64, capped - 1.0) - capped * capped);
    E large = withSign(x.literal(1.0) - rest, signBit(x));
    return select(a < 1.0, small * horner(polyErfSmallF64, small * small), large);
  }

  /// sin(x), or cos(x). The argument is reduced in f64 for f32 too: exact up to 2^20 quarter turns.
  E sine(const E &x, bool isCosine) const {
    Math wide{f64};
    E argument = cast(x.node, DType::F64);
    E shifted = argument * 0.6366197723675814 + f64.magic();
    E n = shifted - f64.magic();
    E r64 = (argument - n * 0x1.921fb544p+0) - n * 0x1.0b4611a6p-34;
    if (!single())
      r64 = r64 - n * 0x1.3198a2e037073p-69;
    // Far outside of the range the remainder is meaningless; keep the result within [-1, 1].
    r64 = select(r64 < -0.8, r64.literal(-0.8), r64);
    r64 = select(r64.literal(0.8) < r64, r64.literal(0.8), r64);
    E quarter = cast((wide.asBits(shifted) & wide.integer(3)).node, f.bits);
    if (isCosine)
      quarter = quarter + integer(1);
    E r = cast(r64.node, f.type), z = r * r;
    E sin = r + r * z * (single() ? horner(polySinF32, z) : horner(polySinF64, z));
    E cos = r.literal(1.0) -
            (z * 0.5 - z * z * (single() ? horner(polyCosF32, z) : horner(polyCosF64, z)));
    E value = select((quarter & integer(1)) == integer(0), sin, cos);
    E turned = shift(Op::Shl, quarter & integer(2), single() ? 30 : 62);
    // sin(-0) is -0: the reduction has made it +0.
    E result = withSign(value, turned);
    return isCosine ? result : select(x == 0.0, x, result);
  }

  /// x^y. For f32 through f64; in f64 the error grows with |y log x|.
  E pow(const E &x, const E &y) const {
    if (single())
      return cast(Math{f64}.pow(cast(x.node, DType::F64), cast(y.node, DType::F64)).node,
                  DType::F32);
    E magnitude = exp(y * log(absolute(x)));
    E half = y * 0.5;
    E isWhole = y == E(apply(Op::Floor, {y.node}));
    E isOdd = isWhole & E(apply(Op::Ne, {half.node, apply(Op::Floor, {half.node})}));
    E value = select(isOdd, withSign(magnitude, signBit(x)), magnitude);
    double inf = std::numeric_limits<double>::infinity();
    E isBad = (x < 0.0) & (x.literal(-inf) < x) & E(apply(Op::Not, {isWhole.node}));
    value = select(isBad, x.literal(std::numeric_limits<double>::quiet_NaN()), value);
    // log 1 = 0, and 0 times infinity is no number, but 1 to any power is 1.
    E isOne = x == 1.0, isMinusOne = (x == -1.0) & (absolute(y) == inf);
    return select(isOne | isMinusOne | (y == 0.0), x.literal(1.0), value);
  }
};

/// Rebuilds expressions without transcendental functions.
class Expander {
public:
  ExprPtr run(const ExprPtr &node) {
    if (!node)
      return nullptr;
    if (auto it = done.find(node.get()); it != done.end())
      return it->second.second;
    ExprPtr result = build(node);
    done[node.get()] = {node, result};
    return result;
  }

private:
  ExprPtr build(const ExprPtr &node) {
    bool changed = false;
    auto copy = std::make_shared<Expr>(*node);
    for (ExprPtr &arg : copy->args) {
      ExprPtr expanded = run(arg);
      changed |= expanded != arg;
      arg = expanded;
    }
    for (Index &index : copy->read.indices) {
      ExprPtr expanded = run(index.indirect);
      changed |= expanded != index.indirect;
      index.indirect = expanded;
    }
    Math math{node->type == DType::F64 ? f64 : f32};
    switch (node->op) {
    case Op::Exp:
      return math.exp(copy->args[0]).node;
    case Op::Log:
      return math.log(copy->args[0]).node;
    case Op::Tanh:
      return math.tanh(copy->args[0]).node;
    case Op::Erf:
      return math.erf(copy->args[0]).node;
    case Op::Sin:
      return math.sine(copy->args[0], false).node;
    case Op::Cos:
      return math.sine(copy->args[0], true).node;
    case Op::Pow:
      return math.pow(copy->args[0], copy->args[1]).node;
    default:
      return changed ? copy : node;
    }
  }

  /// The key is kept alive by the value.
  std::map<const Expr *, std::pair<ExprPtr, ExprPtr>> done;
};
} // namespace

void spec::expandMath(KernelSpec &spec) {
  for (Stage &stage : spec.stages) {
    Expander expander;
    stage.init = expander.run(stage.init);
    stage.body = expander.run(stage.body);
    for (Index &index : stage.store)
      index.indirect = expander.run(index.indirect);
  }
}
