//===- Translate.cpp - expressions of a spec in Halide --------------------===//
//
// A node used more than once becomes a `let`, since Halide walks expressions as trees. Every value
// but a relaxed product is strict.
//
//===----------------------------------------------------------------------===//

#include "codegen/halide/Build.h"

using namespace kiln;
using namespace kiln::halide;
using namespace kiln::spec;
using Halide::select;
using HExpr = Halide::Expr;

Halide::Type halide::memoryType(DType type) {
  switch (type) {
  case DType::F64:
    return Halide::Float(64);
  case DType::F32:
    return Halide::Float(32);
  case DType::F16:
    return Halide::Float(16);
  case DType::BF16:
    return Halide::BFloat(16);
  case DType::F8E4M3:
  case DType::F8E5M2:
    throw Unsupported("8-bit floats have no Halide type");
  case DType::I64:
    return Halide::Int(64);
  case DType::I32:
    return Halide::Int(32);
  case DType::I16:
    return Halide::Int(16);
  case DType::I8:
    return Halide::Int(8);
  case DType::U8:
  case DType::Bool:
    return Halide::UInt(8);
  }
  throw Unsupported("unknown element type");
}

Halide::Type halide::valueType(DType type) {
  return type == DType::Bool ? Halide::Bool() : memoryType(type);
}

DType halide::accumulatorType(const Stage &stage, int64_t lanes) {
  constexpr int64_t fewSteps = 64, most = 1 << 20;
  int64_t elements = 1;
  for (const DimExpr &extent : stage.reduction)
    elements = std::min(
        elements * std::clamp<int64_t>(extent.constantValue().value_or(most), 1, most), most);
  bool isSum = stage.combiner == Combiner::Add && stage.type == DType::F32 && stage.body->strict;
  return isSum && elements > fewSteps * lanes ? DType::F64 : stage.type;
}

HExpr halide::identity(Combiner combiner, DType type) {
  Halide::Type t = valueType(type);
  bool isReal = t.is_float();
  switch (combiner) {
  case Combiner::Mul:
    return Halide::Internal::make_one(t);
  case Combiner::Max:
    return isReal ? -Halide::Internal::make_const(t, std::numeric_limits<double>::infinity())
                  : t.min();
  case Combiner::Min:
    return isReal ? Halide::Internal::make_const(t, std::numeric_limits<double>::infinity())
                  : t.max();
  case Combiner::And:
    return type == DType::Bool ? Halide::Internal::const_true()
                               : Halide::Internal::make_const(t, -1);
  default:
    return Halide::Internal::make_zero(t);
  }
}

/// Arithmetic that wraps: signed overflow of 32 and 64 bits is undefined in Halide.
template <typename F> static HExpr wrapping(const HExpr &a, const HExpr &b, F apply) {
  Halide::Type t = a.type();
  if (t.is_int() && t.bits() >= 32) {
    Halide::Type u = t.with_code(halide_type_uint);
    return Halide::reinterpret(t, apply(Halide::reinterpret(u, a), Halide::reinterpret(u, b)));
  }
  return apply(a, b);
}

HExpr halide::isNaN(const HExpr &x) {
  Halide::Type bits = Halide::UInt(x.type().bits());
  HExpr one = Halide::Internal::make_one(bits);
  int mantissa = x.type().is_bfloat()    ? 7
                 : x.type().bits() == 16 ? 10
                 : x.type().bits() == 32 ? 23
                                         : 52;
  HExpr infinity = (one << (x.type().bits() - 1)) - (one << mantissa);
  return (Halide::reinterpret(bits, x) & ((one << (x.type().bits() - 1)) - one)) > infinity;
}

static HExpr extreme(const HExpr &a, const HExpr &b, bool isMax) {
  if (!a.type().is_float())
    return isMax ? Halide::max(a, b) : Halide::min(a, b);
  if (auto known = Halide::Internal::as_const_float(b))
    return std::isnan(*known) ? b : isMax ? select(a < b, b, a) : select(b < a, b, a);
  return select((isMax ? a < b : b < a) || isNaN(b), b, a);
}

HExpr halide::combine(Combiner combiner, const HExpr &kept, const HExpr &item, bool isStrict) {
  HExpr result;
  switch (combiner) {
  case Combiner::Add:
    if (!isStrict)
      return kept + item;
    result = wrapping(kept, item, [](HExpr x, HExpr y) { return x + y; });
    break;
  case Combiner::Mul:
    result = wrapping(kept, item, [](HExpr x, HExpr y) { return x * y; });
    break;
  case Combiner::Max:
  case Combiner::Min:
    result = extreme(kept, item, combiner == Combiner::Max);
    break;
  case Combiner::And:
    result = kept.type().is_bool() ? kept && item : kept & item;
    break;
  case Combiner::Or:
    result = kept.type().is_bool() ? kept || item : kept | item;
    break;
  default:
    throw Unsupported("a position is reduced with its value");
  }
  return Halide::strict_float(result);
}

/// Cast of a float to an integer: truncates, saturates, NaN gives 0.
static HExpr toInteger(const HExpr &x, Halide::Type to) {
  double high = to.is_uint() ? 255.0 : std::ldexp(1.0, to.bits() - 1);
  double low = to.is_uint() ? 0.0 : -high;
  HExpr lowest = Halide::Internal::make_const(x.type(), low);
  HExpr bound = Halide::Internal::make_const(x.type(), high);
  HExpr isHigh = x >= bound;
  HExpr inside = select(x > lowest && !isHigh, x, lowest);
  return select(isNaN(x), Halide::Internal::make_zero(to),
                select(isHigh, to.max(), Halide::cast(to, Halide::trunc(inside))));
}

static HExpr u32(uint32_t value) { return Halide::Internal::make_const(Halide::UInt(32), value); }
static HExpr bitsOf(const HExpr &x) {
  return Halide::reinterpret(Halide::UInt(x.type().bits()), x);
}
static HExpr asFloat(const HExpr &bits) { return Halide::reinterpret(Halide::Float(32), bits); }

/// f32 of a float of 16 bits, in integers: Halide's own conversions assume that there is no NaN.
static HExpr widened(const HExpr &x) {
  HExpr bits = Halide::cast<uint32_t>(bitsOf(x));
  if (x.type().is_bfloat())
    return asFloat(bits << 16);
  HExpr magnitude = bits & u32(0x7fff), moved = magnitude << 13;
  // Below the normal numbers: units of 2^-24 on top of 2^-14.
  HExpr small = bitsOf(Halide::strict_float(asFloat(moved + u32(113 << 23)) - 0x1p-14f));
  HExpr large = moved + select(magnitude >= u32(0x7c00), u32(224u << 23), u32(112 << 23));
  return asFloat(select(magnitude < u32(0x400), small, large) | (bits & u32(0x8000)) << 16);
}

/// An f32 rounded to nearest even in 16 bits.
static HExpr narrowed(const HExpr &x, Halide::Type to) {
  HExpr bits = bitsOf(x), magnitude = bits & u32(0x7fffffff), sign = (bits >> 16) & u32(0x8000);
  HExpr result;
  if (to.is_bfloat()) {
    HExpr rounded = (magnitude + u32(0x7fff) + ((magnitude >> 16) & u32(1))) >> 16;
    result = select(magnitude > u32(0x7f800000), u32(0x7fc0), rounded);
  } else {
    // Adding 1/2 leaves units of 2^-24 at the low end.
    HExpr small = bitsOf(Halide::strict_float(asFloat(magnitude) + 0.5f)) - u32(0x3f000000);
    HExpr rounded = (magnitude + u32(0xfff) + ((magnitude >> 13) & u32(1)) - u32(112 << 23)) >> 13;
    result = select(magnitude > u32(0x7f800000), u32(0x7e00), magnitude >= u32(0x477ff000),
                    u32(0x7c00), magnitude < u32(0x38800000), small, rounded);
  }
  return Halide::reinterpret(to, Halide::cast<uint16_t>(result | sign));
}

static HExpr convert(const HExpr &x, Halide::Type to) {
  Halide::Type from = x.type();
  if (from == to)
    return x;
  if (from.is_float() && from.bits() == 16)
    return convert(widened(x), to);
  if (to.is_bool())
    return x != Halide::Internal::make_zero(from);
  if (from.is_float() && !to.is_float())
    return toInteger(x, to);
  if (!to.is_float() || to.bits() > 16)
    return Halide::cast(to, x);
  // By way of f32, which must not round before.
  if (from.is_float() ? from.bits() > 32 : from.bits() > 16)
    throw Unsupported("a conversion from more than f32 to 16 bits");
  return narrowed(Halide::cast<float>(x), to);
}

static HExpr floorDivide(const HExpr &a, const HExpr &b, bool wantsRemainder) {
  // The remainder is exact, which a quotient in floats does not give.
  if (a.type().is_float())
    throw Unsupported("a remainder or floored quotient of floats");
  // Halide's remainder is never negative; ours has the sign of the divisor.
  HExpr rest = a % b;
  if (!a.type().is_int())
    return wantsRemainder ? rest : a / b;
  HExpr isMoved = b < 0 && rest != 0;
  return wantsRemainder ? select(isMoved, rest + b, rest) : select(isMoved, a / b - 1, a / b);
}

static HExpr shifted(const HExpr &a, const HExpr &b, bool isLeft) {
  Halide::Type t = a.type();
  HExpr isWide = b < 0 || b >= t.bits();
  if (t.is_uint())
    isWide = b >= t.bits();
  Halide::Type u = t.with_code(halide_type_uint);
  HExpr by = Halide::cast(u, select(isWide, 0, b));
  // Bits that leave on the left are overflow, which Halide takes to be impossible of signed
  // numbers.
  HExpr value = isLeft ? Halide::reinterpret(t, Halide::reinterpret(u, a) << by) : a >> by;
  HExpr limit = isLeft || t.is_uint() ? HExpr(Halide::Internal::make_zero(t))
                                      : a >> HExpr(Halide::cast(by.type(), t.bits() - 1));
  return Halide::Internal::is_const(b) ? Halide::Internal::simplify(select(isWide, limit, value))
                                       : select(isWide, limit, value);
}

static HExpr apply2(Op op, const HExpr &a, const HExpr &b, bool isStrict) {
  auto arithmetic = [&](auto f) { return isStrict ? wrapping(a, b, f) : f(a, b); };
  switch (op) {
  case Op::Add:
    return arithmetic([](HExpr x, HExpr y) { return x + y; });
  case Op::Sub:
    return arithmetic([](HExpr x, HExpr y) { return x - y; });
  case Op::Mul:
    return arithmetic([](HExpr x, HExpr y) { return x * y; });
  case Op::Div:
    return a / b;
  case Op::FloorDiv:
  case Op::Mod:
    return floorDivide(a, b, op == Op::Mod);
  case Op::Max:
  case Op::Min:
    return extreme(a, b, op == Op::Max);
  case Op::And:
    return a.type().is_bool() ? a && b : a & b;
  case Op::Or:
    return a.type().is_bool() ? a || b : a | b;
  case Op::Xor:
    return a.type().is_bool() ? a != b : a ^ b;
  case Op::Shl:
  case Op::Shr:
    return shifted(a, b, op == Op::Shl);
  case Op::Eq:
    return a == b;
  case Op::Ne:
    return a != b;
  case Op::Lt:
    return a < b;
  case Op::Le:
    // Halide turns a <= b into !(b < a), which holds of NaN.
    return a.type().is_float() ? a <= b && !isNaN(a) && !isNaN(b) : a <= b;
  default:
    throw Unsupported("transcendental functions must be expanded first");
  }
}

static HExpr negated(const HExpr &a) {
  if (!a.type().is_float())
    return wrapping(Halide::Internal::make_zero(a.type()), a,
                    [](HExpr x, HExpr y) { return x - y; });
  // Flips the sign of zeros and NaN too.
  Halide::Type bits = Halide::UInt(a.type().bits());
  HExpr sign = Halide::Internal::make_const(bits, 1) << (a.type().bits() - 1);
  return Halide::reinterpret(a.type(), Halide::reinterpret(bits, a) ^ sign);
}

static HExpr apply1(const Expr &node, const HExpr &a, bool isRelaxed) {
  Halide::Type type = valueType(node.type);
  switch (node.op) {
  case Op::Neg:
    return negated(a);
  case Op::Abs:
    return a.type().is_uint() ? a : Halide::cast(a.type(), Halide::abs(a));
  case Op::Sqrt:
    return Halide::sqrt(a);
  case Op::Floor:
    return Halide::floor(a);
  case Op::Ceil:
    return Halide::ceil(a);
  case Op::Round:
    return Halide::round(a);
  case Op::Not:
    return a.type().is_bool() ? !a : ~a;
  case Op::Cast:
    if (isRelaxed && a.type().is_float() && type.is_float() &&
        std::max(a.type().bits(), type.bits()) > 32 && a.type() != type)
      throw Unsupported("a cast between floats beside a relaxed product");
    return convert(a, type);
  case Op::Bitcast:
    return Halide::reinterpret(type, a);
  default:
    throw Unsupported("transcendental functions must be expanded first");
  }
}

static HExpr constantOf(const Expr &node) {
  Halide::Type type = valueType(node.type);
  if (const double *value = std::get_if<double>(&node.constant))
    return Halide::Internal::make_const(type, *value);
  int64_t value = std::get<int64_t>(node.constant);
  return type.is_bool() ? Halide::Internal::make_bool(value != 0)
                        : Halide::Internal::make_const(type, value);
}

/// Of an expression with everything shared written out.
static constexpr double mostNodes = 1e8;

namespace {
/// Translates the nodes of one expression.
class Translator {
public:
  Translator(Builder &builder, const Stage &stage, const Coordinates &coordinates)
      : builder(builder), stage(stage), coordinates(coordinates) {}

  HExpr run(const ExprPtr &root) {
    std::set<const Expr *> seen;
    std::map<const Expr *, double> sizes;
    visitPostOrder(root, seen, [&](const ExprPtr &node) {
      double &size = sizes[node.get()] = 1;
      for (const ExprPtr &arg : node->args) {
        ++uses[arg.get()];
        size += sizes[arg.get()];
      }
    });
    // Halide may put a shared value in again where it is used, and then takes as long as this.
    if (sizes[root.get()] > mostNodes)
      throw Unsupported("an expression of so many shared parts");
    HExpr result = finish(*root, get(root));
    for (size_t i = lets.size(); i-- > 0;)
      result = Halide::Internal::Let::make(lets[i].first, lets[i].second, result);
    return result;
  }

private:
  /// Strict unless it is a relaxed product of plain reads.
  static HExpr finish(const Expr &node, const HExpr &value) {
    return node.strict ? Halide::strict_float(value) : value;
  }

  HExpr get(const ExprPtr &node) {
    if (auto it = values.find(node.get()); it != values.end())
      return it->second;
    HExpr value = build(*node);
    if (uses[node.get()] > 1 && !node->args.empty()) {
      std::string name = "n" + std::to_string(lets.size());
      lets.push_back({name, finish(*node, value)});
      value = Halide::Internal::Variable::make(value.type(), name);
    }
    return values[node.get()] = value;
  }

  HExpr build(const Expr &node) {
    switch (node.op) {
    case Op::Const:
      return constantOf(node);
    case Op::Read:
      return builder.load(node, stage, coordinates,
                          [&](const ExprPtr &inner) { return get(inner); });
    case Op::Dim:
      return Halide::cast<int64_t>(coordinates[node.dim].value);
    case Op::Extent:
      return Halide::cast<int64_t>(builder.extent(node.extent));
    case Op::Select:
      return select(get(node.args[0]), get(node.args[1]), get(node.args[2]));
    default:
      break;
    }
    HExpr a = get(node.args[0]);
    if (node.args.size() == 1)
      return apply1(node, a, builder.isRelaxed);
    return apply2(node.op, a, get(node.args[1]), node.strict);
  }

  Builder &builder;
  const Stage &stage;
  const Coordinates &coordinates;
  std::map<const Expr *, int> uses;
  std::map<const Expr *, HExpr> values;
  std::vector<std::pair<std::string, HExpr>> lets;
};
} // namespace

HExpr Builder::value(const ExprPtr &root, const Stage &stage, const Coordinates &coordinates) {
  return Translator(*this, stage, coordinates).run(root);
}
