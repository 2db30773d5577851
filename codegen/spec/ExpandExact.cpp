//===- ExpandExact.cpp - remainders that are exact ------------------------===//
//
// Remainders of floats, and by a quarter turn for sin and cos. A quotient that rounds loses all of
// the remainder once it has more bits than the format, so it is taken in parts of few bits, whose
// products with halves of the divisor are exact.
//
//===----------------------------------------------------------------------===//

#include "codegen/spec/MathExprs.h"

#include <algorithm>
#include <limits>
#include <vector>

using namespace kiln;
using namespace kiln::spec;
using namespace kiln::spec::math;

/// x / (2 pi) less whole turns, in f64: the bits of 1 / (2 pi) in pieces of 26, of which eight
/// matter for any one x. Those before them make whole turns, those behind less than 2^-120.
Pair Math::turns(const E &x) const {
  constexpr int pieces = std::size(polyTurn), window = 8, bits = 26;
  std::vector<E> table;
  for (double piece : polyTurn)
    table.push_back(x.literal(piece));
  E scaled = x;
  bool isSingle = x.node->op == Op::Cast && x.node->args[0]->type == DType::F32;
  if (!isSingle) {
    // Which piece is the first: the unit of x times those before is a multiple of 1.
    E exponent = shift(Op::Shr, asBits(absolute(x)), 52) - integer(1075);
    E first =
        select(exponent < integer(0), integer(0), shift(Op::Shr, exponent * integer(40330), 20));
    for (int step = 32; step >= 1; step /= 2) {
      E moves = integer(0) < (first & integer(step));
      int last = std::min(pieces - step, window + step - 1);
      for (int i = 0; i < last; ++i)
        table[i] = select(moves, table[i + step], table[i]);
    }
    scaled = x * power(first * integer(-bits));
  }
  auto [xHigh, xLow] = isSingle ? Pair{scaled, scaled} : halves(scaled);
  E high = x.literal(0.0), low = high;
  double unit = 1;
  auto add = [&](const E &part) {
    E fraction = part - nearest(part);
    E sum = high + fraction;
    if (!isSingle) {
      E moved = sum - high;
      low = low + ((high - (sum - moved)) + (fraction - moved));
    }
    high = sum;
  };
  for (int i = 0; i < window; ++i) {
    unit /= 1 << bits;
    E piece = table[i] * unit;
    add(xHigh * piece);
    if (!isSingle)
      add(xLow * piece);
  }
  return {high, low};
}

/// sin(x), or cos(x), to the precision of the format for all x.
E Math::sine(const E &x, bool isCosine) const {
  Math wide{f64, support};
  E argument = single() ? E(cast(x.node, DType::F64)) : x;
  auto [turn, turnLow] = wide.turns(argument);
  E shifted = turn * 4.0 + f64.magic();
  // A quarter turn is 1/4: the rest is exact.
  turn = turn - (shifted - f64.magic()) * 0.25;
  constexpr double twoPi = 0x1.921fb54442d18p+2, twoPiHigh = 0x1.921fb4p+2,
                   rest = 0x1.4442d18469899p-22;
  E r64 = turn * twoPi;
  if (!single()) {
    auto [turnHigh, turnRest] = wide.halves(turn);
    r64 = turnHigh * twoPiHigh + (turnHigh * rest + (turnRest + turnLow) * twoPi);
  }
  E quarter = cast((wide.asBits(shifted) & wide.integer(3)).node, f.bits);
  if (isCosine)
    quarter = quarter + integer(1);
  E r = single() ? E(cast(r64.node, f.type)) : r64;
  E z = r * r;
  E sin = r + r * z * (single() ? horner(polySinF32, z) : horner(polySinF64, z));
  E cos = r.literal(1.0) -
          (z * 0.5 - z * z * (single() ? horner(polyCosF32, z) : horner(polyCosF64, z)));
  E value = select((quarter & integer(1)) == integer(0), sin, cos);
  E turned = shift(Op::Shl, quarter & integer(2), single() ? 30 : 62);
  E result = withSign(value, turned);
  // Below, sin(x) is x, with its sign where it is zero, and the pieces could underflow.
  return isCosine ? result : select(absolute(x) < 0x1p-30, x, result);
}

/// The floor of the exact quotient. Where the rounded one is whole, the exact one may lie below it.
E Math::floorDivide(const E &a, const E &b) const {
  if (single()) {
    Math wide{f64, support};
    E result = wide.floorDivide(cast(a.node, DType::F64), cast(b.node, DType::F64));
    return cast(result.node, DType::F32);
  }
  E quotient = a / b, whole = floor(quotient), product = whole * b;
  auto [wholeHigh, wholeLow] = halves(whole);
  auto [high, low] = halves(b);
  E lost = wholeLow * low + (wholeLow * high + (wholeHigh * low + (wholeHigh * high - product)));
  E rest = (a - product) - lost;
  E isBelow = ((rest < 0.0) & (b.literal(0.0) < b)) | ((b.literal(0.0) < rest) & (b < 0.0));
  return select((whole == quotient) & isBelow, whole - 1.0, whole);
}

/// A remainder of magnitudes within half the divisor to one with the sign of the divisor; zero has
/// the sign of the dividend, which is its own remainder by an infinity of its sign.
E Math::toSignOf(const E &rest, const E &a, const E &b) const {
  E isMoved = ((rest < 0.0) & (b.literal(0.0) < b)) | ((b.literal(0.0) < rest) & (b < 0.0));
  E moved = select(isMoved, rest + b, rest);
  return select(rest == 0.0, withSign(absolute(rest), signBit(a)), moved);
}

E Math::mod(const E &a, const E &b) const {
  if (!single())
    return modDouble(a, b);
  E result = Math{f64, support}.modSingle(cast(a.node, DType::F64), cast(b.node, DType::F64));
  return cast(result.node, DType::F32);
}

/// In f64, of values of f32: 28 bits of the quotient, which has at most 277, at a time.
E Math::modSingle(const E &a, const E &b) const {
  double inf = std::numeric_limits<double>::infinity();
  E divisor = absolute(b), inverse = divisor.literal(1.0) / divisor, rest = a;
  for (int step = 9; step >= 0; --step) {
    double scale = 1;
    for (int i = 0; i < step; ++i)
      scale *= 0x1p28;
    E quotient = nearest(rest * (inverse * (1 / scale)));
    rest = rest - quotient * (divisor * scale);
  }
  rest = select((divisor == inf) & (absolute(a) < inf), a, rest);
  return toSignOf(rest, a, b);
}

/// As modSingle, with 26 bits at a time of the quotient of the mantissas by the powers of two
/// between the exponents: 2097 at most.
E Math::modDouble(const E &a, const E &b) const {
  double inf = std::numeric_limits<double>::infinity();
  constexpr int most = 2097, bits = 26;
  auto split = [&](const E &x) {
    E isTiny = x < f.smallestNormal;
    E word = asBits(select(isTiny, x * 0x1p54, x));
    E exponent = shift(Op::Shr, word, 52) - select(isTiny, integer(1023 + 54), integer(1023));
    E mantissa = (word & integer((int64_t(1) << 52) - 1)) | asBits(x.literal(1.0));
    return std::pair(asFloat(mantissa), exponent);
  };
  E dividend = absolute(a), divisor = absolute(b);
  auto [rest, exponent] = split(dividend);
  auto [unit, unitExponent] = split(divisor);
  E distance = exponent - unitExponent;
  distance = select(distance < integer(0), integer(0), distance);
  E steps = shift(Op::Shr, distance * integer(40330), 20); // distance / 26
  auto [high, low] = halves(unit);
  E inverse = unit.literal(1.0) / unit;
  auto reduce = [&, high = high, low = low](const E &x) {
    E quotient = nearest(x * inverse);
    return (x - quotient * high) - quotient * low;
  };
  E left = reduce(reduce(rest) * power(distance - steps * integer(bits)));
  for (int step = 0; step < most / bits; ++step)
    left = reduce(left * select(integer(step) < steps, left.literal(1 << bits), left.literal(1.0)));
  // 2^exponent may lie below the normal numbers; the product does not round.
  E half = shift(Op::Shr, unitExponent, 1);
  left = withSign(left * power(half) * power(unitExponent - half), signBit(a));
  left = select(dividend < divisor, a, left);
  E isNumber = (dividend < inf) & (divisor.literal(0.0) < divisor) & (divisor == divisor);
  left = select(isNumber, left, a.literal(std::numeric_limits<double>::quiet_NaN()));
  return toSignOf(left, a, b);
}
