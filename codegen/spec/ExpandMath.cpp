//===- ExpandMath.cpp - transcendental functions as arithmetic ------------===//
//
// Every generator sees only the arithmetic built here, each operation strict, so that a function's
// value is the same on every host with the same MathSupport. NaN in gives NaN out (pow: but for x^0
// and 1^y, which are 1). Integers come out of floats by adding 1.5 * 2^(mantissa bits), which
// rounds to nearest even and leaves the integer in the low bits: cheaper than a saturating cast.
//
//===----------------------------------------------------------------------===//

#include "codegen/spec/MathExprs.h"

#include <limits>

using namespace kiln;
using namespace kiln::spec;
using namespace kiln::spec::math;

/// x = k log(2) + r, for |x| below 2^9 (f64: 2^10); r, and k in the low half of an integer's bits.
std::pair<E, E> Math::reduceExp(const E &x) const {
  E shifted = mulAdd(x, 1.4426950408889634, x.literal(f.magic()));
  E k = shifted - f.magic();
  E r = mulAdd(k, -f.ln2Low, mulAdd(k, -f.ln2High, x));
  return {asBits(shifted), r};
}

/// (exp(r) - 1 - r) / r^2 for |r| <= log(2) / 2.
E Math::expRest(const E &r) const {
  return single() ? horner(polyExpF32, r) : horner(polyExpF64, r);
}

/// exp(r) - 1 for |r| <= log(2) / 2.
E Math::expm1Reduced(const E &r) const { return mulAdd(r * r, expRest(r), r); }

/// exp(r) for |r| <= log(2) / 2, in the order that errs least.
E Math::expReduced(const E &r) const {
  E one = r.literal(1.0);
  return support.hasMulAdd ? mulAdd(r, mulAdd(r, expRest(r), one), one) : expm1Reduced(r) + one;
}

E Math::exp(const E &x) const { return expOfSum(x, x.literal(0.0)); }

/// exp(x + low), where x + low has rounded to x or nearly so.
E Math::expOfSum(const E &x, const E &low) const {
  E bounded = atMost(select(x < f.expLow, x.literal(f.expLow), x), f.expHigh);
  auto [k, r] = reduceExp(bounded);
  bool isExact = low.node->op == Op::Const;
  // In two steps, so that results below the smallest normal number round once and 2^128 is
  // reached.
  E value = expReduced(isExact ? r : r + low);
  if (support.hasLdexp)
    return apply(Op::Ldexp, {value.node, (k - asBits(x.literal(f.magic()))).node});
  E half = shift(Op::Shr, k, 1);
  return value * power(half) * power(k - half);
}

/// x = 2^e (1 + t) with t in [-1/3, 1/3), for x positive and finite; e as a float.
std::pair<E, E> Math::reduceLog(const E &x) const {
  E isTiny = x < f.smallestNormal;
  double lift = single() ? 0x1p24 : 0x1p54;
  E scaled = select(isTiny, x * lift, x);
  E moved = asBits(scaled) - integer(f.twoThirds);
  E k = shift(Op::Shr, moved, f.mantissa);
  E fraction = moved & integer((int64_t(1) << f.mantissa) - 1);
  E t = asFloat(fraction + integer(f.twoThirds)) - 1.0;
  E e = E(cast(k.node, f.type)) - select(isTiny, x.literal(single() ? 24 : 54), x.literal(0));
  return {t, e};
}

E Math::log(const E &x) const {
  auto [t, e] = reduceLog(x);
  E value = logReduced(t, e);
  double inf = std::numeric_limits<double>::infinity();
  value = select(x == 0.0, x.literal(-inf), value);
  value = select(x < 0.0, x.literal(std::numeric_limits<double>::quiet_NaN()), value);
  // Infinity and NaN are their own logarithms.
  return select(x < inf, value, select(x == inf, x, x + x));
}

/// log(1 + t) + e log(2).
E Math::logReduced(const E &t, const E &e) const {
  E square = t * t * 0.5;
  if (single())
    return e * f.ln2High + (t - (square - (t * t * t * horner(polyLogF32, t) + e * f.ln2Low)));
  E s = t / (t + 2.0), z = s * s;
  E r = z * horner(polyLogF64, z);
  return e * f.ln2High + (t - (square - (s * (square + r) + e * f.ln2Low)));
}

E Math::tanh(const E &x) const {
  double limit = single() ? 20.0 : 44.0; // twice the place where tanh rounds to 1
  E twice = absolute(x) * 2.0;
  auto [k, r] = reduceExp(select(twice.literal(limit) < twice, twice.literal(limit), twice));
  E scale = power(k);
  E grown = scale * expm1Reduced(r) + (scale - 1.0); // exp(2|x|) - 1
  return withSign(grown / (grown + 2.0), signBit(x));
}

E Math::erf(const E &x) const {
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

/// exp(-x^2 / 2) times a smooth factor on one side, its rest to 1 on the other. The square is taken
/// of the first half of the bits, exactly: a rounded one of 100 would cost 100 half units.
E Math::normalCdf(const E &x) const {
  E a = atMost(absolute(x), single() ? 15.0 : 39.0);
  auto [high, low] = halves(a);
  E power = expOfSum(high * high * -0.5, low * (a + high) * -0.5);
  double centre = single() ? 4.0 : 5.0;
  E u = (a - centre) / (a + centre);
  E factor = single() ? horner(polyTailF32, u) : horner(polyTailF64, u);
  E tail = power * (factor / (a + centre));
  return select(x < 0.0, tail, x.literal(1.0) - tail);
}

namespace {
/// Rebuilds expressions without transcendental functions.
class Expander {
public:
  explicit Expander(MathSupport support) : support(support) {}

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
    Math math{node->type == DType::F64 ? f64 : f32, support};
    switch (node->op) {
    case Op::Exp:
      return math.exp(copy->args[0]).node;
    case Op::Log:
      return math.log(copy->args[0]).node;
    case Op::Tanh:
      return math.tanh(copy->args[0]).node;
    case Op::Erf:
      return math.erf(copy->args[0]).node;
    case Op::NormalCdf:
      return math.normalCdf(copy->args[0]).node;
    case Op::Sin:
      return math.sine(copy->args[0], false).node;
    case Op::Cos:
      return math.sine(copy->args[0], true).node;
    case Op::Pow:
      return math.pow(copy->args[0], copy->args[1]).node;
    case Op::Atan2:
      return math.atan2(copy->args[0], copy->args[1]).node;
    case Op::FloorDiv:
    case Op::Mod:
      if (isFloat(node->type))
        return (node->op == Op::Mod ? math.mod(copy->args[0], copy->args[1])
                                    : math.floorDivide(copy->args[0], copy->args[1]))
            .node;
      return changed ? copy : node;
    default:
      return changed ? copy : node;
    }
  }

  MathSupport support;
  /// The key is kept alive by the value.
  std::map<const Expr *, std::pair<ExprPtr, ExprPtr>> done;
};
} // namespace

void spec::expandMath(KernelSpec &spec, MathSupport support) {
  for (Stage &stage : spec.stages) {
    Expander expander(support);
    stage.init = expander.run(stage.init);
    stage.body = expander.run(stage.body);
    for (Index &index : stage.store)
      index.indirect = expander.run(index.indirect);
  }
}
