//===- ExpandAngle.cpp - angles as arithmetic -----------------------------===//

#include "codegen/spec/MathExprs.h"

#include <limits>

using namespace kiln;
using namespace kiln::spec;
using namespace kiln::spec::math;

/// The angle of the point (x, y). With the tangent's magnitude r = |y| / |x|, atan(r) is pi/2 -
/// atan(1/r) above sqrt(2) + 1, pi/4 + atan((r - 1) / (r + 1)) above sqrt(2) - 1: one quotient, and
/// a polynomial for |t| <= sqrt(2) - 1. f32 goes through f64, where nothing overflows.
E Math::atan2(const E &y, const E &x) const {
  if (single()) {
    E wide = Math{f64, support}.atan2(cast(y.node, DType::F64), cast(x.node, DType::F64));
    return cast(wide.node, DType::F32);
  }
  double inf = std::numeric_limits<double>::infinity();
  E a = absolute(x), b = absolute(y);
  E isLarge = (a.literal(1e300) < a) | (b.literal(1e300) < b);
  E scale = select(isLarge, a.literal(0.125), a.literal(1));
  a = a * scale;
  b = b * scale;
  E isSteep = a * 2.414213562373095 < b, isMiddle = a * 0.41421356237309503 < b;
  E top = select(isSteep, a * -1.0, select(isMiddle, b - a, b));
  E bottom = select(isSteep, b, select(isMiddle, b + a, a));
  E t = top / bottom, z = t * t;
  auto offset = [&](double half) {
    return select(isSteep, a.literal(half), select(isMiddle, a.literal(half / 2), a.literal(0.0)));
  };
  constexpr double halfPi = 0x1.921fb54442d18p+0, halfPiRest = 0x1.1a62633145c07p-54;
  E angle = offset(halfPi) + (offset(halfPiRest) + (t + t * z * horner(polyAtanF64, z)));
  angle = select((a == inf) & (b == inf), angle.literal(halfPi / 2), angle);
  angle = select(b == 0.0, angle.literal(0.0), angle);
  E isLeft = apply(Op::Lt, {asBits(x).node, integer(0).node});
  E mirrored = E(angle.literal(2 * halfPi)) - (angle - 2 * halfPiRest);
  angle = withSign(select(isLeft, mirrored, angle), signBit(y));
  return select((x == x) & (y == y), angle, x + y);
}
