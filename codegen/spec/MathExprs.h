//===- MathExprs.h - functions as expressions ------------------*- C++ -*-===//
//
// What the parts of expandMath share. Every operation built here is strict.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_SPEC_MATHEXPRS_H
#define KILN_CODEGEN_SPEC_MATHEXPRS_H

#include "codegen/spec/KernelSpec.h"

#include <utility>

namespace kiln::spec::math {
#define KILN_MATH_POLY(Name, ...) inline constexpr double poly##Name[] = {__VA_ARGS__};
#include "codegen/Math.def"

/// An expression with operators; literals take the type of the other side.
struct E {
  ExprPtr node;
  E(ExprPtr node) : node(std::move(node)) {}
  E literal(double value) const { return constant(value, node->type); }
};
inline E operator+(const E &a, const E &b) { return apply(Op::Add, {a.node, b.node}); }
inline E operator-(const E &a, const E &b) { return apply(Op::Sub, {a.node, b.node}); }
inline E operator*(const E &a, const E &b) { return apply(Op::Mul, {a.node, b.node}); }
inline E operator/(const E &a, const E &b) { return apply(Op::Div, {a.node, b.node}); }
inline E operator+(const E &a, double b) { return a + a.literal(b); }
inline E operator-(const E &a, double b) { return a - a.literal(b); }
inline E operator*(const E &a, double b) { return a * a.literal(b); }
inline E operator<(const E &a, const E &b) { return apply(Op::Lt, {a.node, b.node}); }
inline E operator<(const E &a, double b) { return a < a.literal(b); }
inline E operator==(const E &a, const E &b) { return apply(Op::Eq, {a.node, b.node}); }
inline E operator==(const E &a, double b) { return a == a.literal(b); }
inline E operator&(const E &a, const E &b) { return apply(Op::And, {a.node, b.node}); }
inline E operator|(const E &a, const E &b) { return apply(Op::Or, {a.node, b.node}); }
inline E operator^(const E &a, const E &b) { return apply(Op::Xor, {a.node, b.node}); }
inline E select(const E &c, const E &a, const E &b) {
  return apply(Op::Select, {c.node, a.node, b.node});
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

inline constexpr Format f32 = {DType::F32, DType::I32, 23,          127,
                               -105.0,     89.0,       0x1.62e4p-1, 0x1.7f7d1cf79abcap-20,
                               0x1p-126,   0x3f2aaaab};
inline constexpr Format f64 = {
    DType::F64, DType::I64,        52, 1023, -746.0, 710.0, 0x1.62e42fefp-1, 0x1.473de6af278edp-34,
    0x1p-1022,  0x3fe5555555555555};

/// A value as the sum of two floats, the second small against the first.
struct Pair {
  E high, low;
};

/// Builds functions of one format.
struct Math {
  const Format &f;
  MathSupport support = {};

  E integer(int64_t value) const { return constant(value, f.bits); }
  E asBits(const E &x) const { return bitcast(x.node, f.bits); }
  E asFloat(const E &x) const { return bitcast(x.node, f.type); }
  E shift(Op op, const E &x, int64_t by) const { return apply(op, {x.node, integer(by).node}); }
  bool single() const { return f.type == DType::F32; }

  /// a * b + c: fused where the target can, so errors must be within bounds either way.
  E mulAdd(const E &a, const E &b, const E &c) const {
    return support.hasMulAdd ? E(apply(Op::MulAdd, {a.node, b.node, c.node})) : a * b + c;
  }
  E mulAdd(const E &a, double b, const E &c) const { return mulAdd(a, a.literal(b), c); }
  /// Polynomial in x, coefficients in ascending order, by Horner's rule.
  template <size_t N> E horner(const double (&coefficients)[N], const E &x) const {
    E sum = x.literal(coefficients[N - 1]);
    for (size_t i = N - 1; i-- > 0;)
      sum = mulAdd(sum, x, x.literal(coefficients[i]));
    return sum;
  }
  /// 2^k for -bias < k <= bias + 1 (the last is infinity), by the low bits of an integer.
  E power(const E &k) const { return asFloat(shift(Op::Shl, k + integer(f.bias), f.mantissa)); }
  E signBit(const E &x) const {
    return asBits(x) & integer(single() ? int64_t(INT32_MIN) : INT64_MIN);
  }
  E withSign(const E &magnitude, const E &sign) const { return asFloat(asBits(magnitude) ^ sign); }
  E absolute(const E &x) const { return apply(Op::Abs, {x.node}); }
  E floor(const E &x) const { return apply(Op::Floor, {x.node}); }
  E nearest(const E &x) const { return apply(Op::Round, {x.node}); }
  /// The half of the bits that come first, and the rest: products of such parts are exact.
  Pair halves(const E &x) const {
    E high = asFloat(asBits(x) & integer(-(int64_t(1) << (single() ? 12 : 27))));
    return {high, x - high};
  }
  /// At most `limit`; NaN stays.
  E atMost(const E &x, double limit) const {
    return select(x.literal(limit) < x, x.literal(limit), x);
  }

  // ExpandMath.cpp
  std::pair<E, E> reduceExp(const E &x) const;
  E expRest(const E &r) const;
  E expm1Reduced(const E &r) const;
  E expReduced(const E &r) const;
  E exp(const E &x) const;
  E expOfSum(const E &x, const E &low) const;
  std::pair<E, E> reduceLog(const E &x) const;
  E log(const E &x) const;
  E logReduced(const E &t, const E &e) const;
  E tanh(const E &x) const;
  E erf(const E &x) const;
  E normalCdf(const E &x) const;

  // ExpandPower.cpp
  Pair logOfTwoParts(const E &x) const;
  E pow(const E &x, const E &y) const;
  E powOf(const E &x, const E &y, const E &magnitude) const;

  // ExpandAngle.cpp
  E atan2(const E &y, const E &x) const;

  // ExpandExact.cpp
  E sine(const E &x, bool isCosine) const;
  E floorDivide(const E &a, const E &b) const;
  E mod(const E &a, const E &b) const;

private:
  Pair turns(const E &x) const;
  E modSingle(const E &a, const E &b) const;
  E modDouble(const E &a, const E &b) const;
  E toSignOf(const E &rest, const E &a, const E &b) const;
};

} // namespace kiln::spec::math

#endif // KILN_CODEGEN_SPEC_MATHEXPRS_H
