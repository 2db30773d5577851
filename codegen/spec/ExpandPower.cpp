//===- ExpandPower.cpp - powers as arithmetic -----------------------------===//

#include "codegen/spec/MathExprs.h"

#include <limits>

using namespace kiln;
using namespace kiln::spec;
using namespace kiln::spec::math;

/// log(x) of positive x to 2^-63 of itself, in f64: y log(x) may be 745, and its error is that of
/// the power. With s = t / (2 + t), log(1 + t) = 2/3 s (3 + s^2 + 3/5 s^4 + ...), in halves whose
/// products are exact.
Pair Math::logOfTwoParts(const E &x) const {
  auto [t, e] = reduceLog(x);
  E s = t / (t + 2.0);
  E sHigh = halves(s).high, bottom = halves(t + 2.0).high;
  E sLow = ((t - sHigh * bottom) - sHigh * (t - (bottom - 2.0))) / (t + 2.0);
  E z = s * s, square = sHigh * sHigh;
  E sum = horner(polyLogTailF64, z);
  E rest = sLow * (sHigh + s) + z * z * sum * 1.5;
  E seriesHigh = halves(square + 3.0 + rest).high;
  E seriesLow = rest - ((seriesHigh - 3.0) - square);
  E product = sHigh * seriesHigh, productLow = sLow * seriesHigh + s * seriesLow;
  E productHigh = halves(product + productLow).high;
  productLow = productLow - (productHigh - product);
  constexpr double twoThirdsHigh = 0x1.555554p-1, twoThirds = 0x1.5555555555555p-1,
                   twoThirdsRest = 0x1.5555555555555p-25;
  E fraction = productHigh * twoThirdsHigh;
  E low = productHigh * twoThirdsRest + productLow * twoThirds;
  E whole = e * f.ln2High;
  E high = whole + fraction;
  low = ((fraction - (high - whole)) + e * f.ln2Low) + low;
  return {high, low};
}

/// x^y. For f32 through f64, where the logarithm's plain value is good enough.
E Math::pow(const E &x, const E &y) const {
  if (single()) {
    Math wide{f64, support};
    E base = cast(x.node, DType::F64), exponent = cast(y.node, DType::F64);
    return cast(wide.powOf(base, exponent, wide.exp(exponent * wide.log(wide.absolute(base)))).node,
                DType::F32);
  }
  double inf = std::numeric_limits<double>::infinity();
  E a = absolute(x);
  auto [logarithm, logarithmLow] = logOfTwoParts(a);
  E high = halves(logarithm + logarithmLow).high;
  E low = logarithmLow - (high - logarithm);
  high = select(a < inf, select(a == 0.0, a.literal(-inf), high), a);
  auto [yHigh, yLow] = halves(y);
  yHigh = select(absolute(high) < inf, yHigh, y); // the first half of the least number is 0
  E exponent = yHigh * high, rest = yLow * high + y * low;
  // Beyond the range of results the rest does not count, and may be no number.
  rest = select(absolute(exponent) < 1000.0, rest, rest.literal(0.0));
  return powOf(x, y, expOfSum(exponent, rest));
}

/// The signs and special values of x^y, whose magnitude is given.
E Math::powOf(const E &x, const E &y, const E &magnitude) const {
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
