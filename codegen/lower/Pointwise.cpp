//===- Pointwise.cpp - elements of pointwise ops and constants --------------===//

#include "codegen/lower/Builder.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::lower;
using namespace mlir;
using spec::apply;
using spec::constant;
using spec::ExprPtr;
using SpecOp = spec::Op;

static ExprPtr like(const ExprPtr &x, double value) { return constant(value, x->type); }

//===----------------------------------------------------------------------===//
// Ops that are one operation of specs
//===----------------------------------------------------------------------===//

static std::optional<SpecOp> directOp(StringRef name) {
  return llvm::StringSwitch<std::optional<SpecOp>>(name)
      .Case("neg", SpecOp::Neg)
      .Case("abs", SpecOp::Abs)
      .Case("exp", SpecOp::Exp)
      .Case("log", SpecOp::Log)
      .Case("sqrt", SpecOp::Sqrt)
      .Case("tanh", SpecOp::Tanh)
      .Case("erf", SpecOp::Erf)
      .Case("sin", SpecOp::Sin)
      .Case("cos", SpecOp::Cos)
      .Case("round", SpecOp::Round)
      .Case("floor", SpecOp::Floor)
      .Case("ceil", SpecOp::Ceil)
      .Case("logical_not", SpecOp::Not)
      .Case("add", SpecOp::Add)
      .Case("sub", SpecOp::Sub)
      .Case("mul", SpecOp::Mul)
      .Case("div", SpecOp::Div)
      .Case("floordiv", SpecOp::FloorDiv)
      .Case("mod", SpecOp::Mod)
      .Case("atan2", SpecOp::Atan2)
      .Case("maximum", SpecOp::Max)
      .Case("minimum", SpecOp::Min)
      .Cases({"bitwise_and", "logical_and"}, SpecOp::And)
      .Cases({"bitwise_or", "logical_or"}, SpecOp::Or)
      .Case("bitwise_xor", SpecOp::Xor)
      .Cases({"eq"}, SpecOp::Eq)
      .Case("ne", SpecOp::Ne)
      .Case("lt", SpecOp::Lt)
      .Case("le", SpecOp::Le)
      .Default(std::nullopt);
}

//===----------------------------------------------------------------------===//
// Ops built of several
//===----------------------------------------------------------------------===//

static ExprPtr reciprocal(const ExprPtr &x) { return apply(SpecOp::Div, {like(x, 1), x}); }

/// 1 / (1 + exp(-x)), or x times that. The exponential is taken of -|x|, which does not overflow
/// where the result is a small number still; as a square, so that the product with x rounds once.
static ExprPtr logistic(const ExprPtr &x, bool timesX) {
  ExprPtr size = apply(SpecOp::Abs, {x});
  ExprPtr root = apply(SpecOp::Exp, {apply(SpecOp::Mul, {size, like(x, -0.5)})});
  ExprPtr power = apply(SpecOp::Mul, {root, root}), isNegative = apply(SpecOp::Lt, {x, like(x, 0)});
  ExprPtr high = timesX ? x : like(x, 1);
  ExprPtr low = timesX ? apply(SpecOp::Mul, {apply(SpecOp::Mul, {x, root}), root}) : power;
  ExprPtr top = apply(SpecOp::Select, {isNegative, low, high});
  return apply(SpecOp::Div, {top, apply(SpecOp::Add, {like(x, 1), power})});
}

/// Zeros and NaN stay themselves.
static ExprPtr sign(const ExprPtr &x) {
  ExprPtr zero = like(x, 0);
  ExprPtr positive = apply(SpecOp::Select, {apply(SpecOp::Lt, {zero, x}), like(x, 1), x});
  if (x->type == DType::U8)
    return positive;
  return apply(SpecOp::Select, {apply(SpecOp::Lt, {x, zero}), like(x, -1), positive});
}

/// log(1 + x). The sum u has lost bits of x, but log(u) / (u - 1) is nearly log(1 + x) / x.
ExprPtr lower::log1p(const ExprPtr &x) {
  ExprPtr one = like(x, 1), sum = apply(SpecOp::Add, {one, x});
  ExprPtr ratio = apply(SpecOp::Div, {x, apply(SpecOp::Sub, {sum, one})});
  ExprPtr value = apply(SpecOp::Mul, {apply(SpecOp::Log, {sum}), ratio});
  ExprPtr isSmall = apply(SpecOp::Eq, {sum, one});
  ExprPtr isInfinite = apply(SpecOp::Eq, {x, like(x, HUGE_VAL)});
  return apply(SpecOp::Select, {apply(SpecOp::Or, {isSmall, isInfinite}), x, value});
}

/// exp(x) - 1. The power u has lost bits of x, but (u - 1) / log(u) is nearly (exp(x) - 1) / x.
ExprPtr lower::expm1(const ExprPtr &x) {
  ExprPtr one = like(x, 1), power = apply(SpecOp::Exp, {x}),
          less = apply(SpecOp::Sub, {power, one});
  ExprPtr ratio = apply(SpecOp::Div, {x, apply(SpecOp::Log, {power})});
  // Where nothing is left of the power, or all of it, the ratio is no number.
  ExprPtr isEnd = apply(SpecOp::Or, {apply(SpecOp::Eq, {less, like(x, -1)}),
                                     apply(SpecOp::Eq, {less, like(x, HUGE_VAL)})});
  ExprPtr value = apply(SpecOp::Select, {isEnd, less, apply(SpecOp::Mul, {less, ratio})});
  return apply(SpecOp::Select, {apply(SpecOp::Eq, {power, one}), x, value});
}

/// In forms that add nothing to 1: of a number near -1 too few bits would be left.
static ExprPtr gelu(const ExprPtr &x, bool byTanh) {
  if (!byTanh)
    return apply(SpecOp::Mul, {x, apply(SpecOp::NormalCdf, {x})});
  // x / 2 (1 + tanh(u)) = x / (1 + exp(-2 u)). In f64: exp multiplies the error of 2 u by its size.
  ExprPtr wide = x->type == DType::F64 ? x : spec::cast(x, DType::F64);
  ExprPtr cube = apply(SpecOp::Mul, {wide, apply(SpecOp::Mul, {wide, wide})});
  ExprPtr inner = apply(SpecOp::Add, {wide, apply(SpecOp::Mul, {like(wide, 0.044715), cube})});
  ExprPtr power =
      apply(SpecOp::Exp, {apply(SpecOp::Mul, {like(wide, -2 * std::sqrt(2 / M_PI)), inner})});
  ExprPtr value = apply(SpecOp::Div, {wide, apply(SpecOp::Add, {like(wide, 1), power})});
  return wide == x ? value : spec::cast(value, x->type);
}

/// Bounds beyond the type's range do nothing; integers take the whole numbers within.
static ExprPtr clamp(ExprPtr x, double low, double high) {
  if (!isFloat(x->type)) {
    // Bounds outside of the type are its ends.
    int64_t least = truncateTo(x->type, std::ceil(low));
    int64_t most = truncateTo(x->type, std::floor(high));
    x = apply(SpecOp::Max, {x, spec::constant(least, x->type)});
    return apply(SpecOp::Min, {x, spec::constant(most, x->type)});
  }
  if (low > lowest(x->type))
    x = apply(SpecOp::Max, {x, like(x, low)});
  if (high < largest(x->type))
    x = apply(SpecOp::Min, {x, like(x, high)});
  return x;
}

static ExprPtr convert(const ExprPtr &x, DType type) {
  if (type == DType::Bool)
    return x->type == DType::Bool ? x : apply(SpecOp::Ne, {x, like(x, 0)});
  return widen(x->type == type ? x : spec::cast(x, type));
}

/// A shift by less than 0 is one by the width.
static ExprPtr shift(SpecOp op, const ExprPtr &a, const ExprPtr &b) {
  if (b->type == DType::U8)
    return apply(op, {a, b});
  ExprPtr width = constant(8 * byteSize(b->type), b->type);
  ExprPtr isNegative = apply(SpecOp::Lt, {b, constant(int64_t(0), b->type)});
  return apply(op, {a, apply(SpecOp::Select, {isNegative, width, b})});
}

static ExprPtr unary(StringRef name, const ExprPtr &x) {
  if (name == "sign")
    return sign(x);
  if (name == "rsqrt")
    return reciprocal(apply(SpecOp::Sqrt, {x}));
  if (name == "reciprocal")
    return reciprocal(x);
  if (name == "sigmoid")
    return logistic(x, false);
  if (name == "silu")
    return logistic(x, true);
  if (name == "relu")
    return apply(SpecOp::Max, {x, like(x, 0)});
  if (name == "log1p")
    return log1p(x);
  if (name == "expm1")
    return expm1(x);
  if (name == "isnan")
    return apply(SpecOp::Ne, {x, x});
  if (name == "isinf")
    return apply(SpecOp::Eq, {apply(SpecOp::Abs, {x}), like(x, HUGE_VAL)});
  if (name == "isfinite")
    return apply(SpecOp::Lt, {apply(SpecOp::Abs, {x}), like(x, HUGE_VAL)});
  return furtherFunction(name, x);
}

static ExprPtr binary(StringRef name, const ExprPtr &a, const ExprPtr &b) {
  if (name == "pow")
    return isFloat(a->type) ? apply(SpecOp::Pow, {a, b}) : wholePower(a, b);
  if (name == "gt")
    return apply(SpecOp::Lt, {b, a});
  if (name == "ge")
    return apply(SpecOp::Le, {b, a});
  if (name == "shift_left")
    return shift(SpecOp::Shl, a, b);
  if (name == "shift_right")
    return shift(SpecOp::Shr, a, b);
  return nullptr;
}

static ExprPtr batchNorm(SpecBuilder &builder, BatchNormOp op, const At &at) {
  At channel{at[1]};
  ExprPtr x =
      apply(SpecOp::Sub, {builder.load(op.getX(), at), builder.load(op.getRunningMean(), channel)});
  ExprPtr variance = builder.load(op.getRunningVar(), channel);
  variance = apply(SpecOp::Add, {variance, like(variance, op.getEps().convertToDouble())});
  x = apply(SpecOp::Div, {x, apply(SpecOp::Sqrt, {variance})});
  if (op.getWeight())
    x = apply(SpecOp::Mul, {x, builder.load(op.getWeight(), channel)});
  return op.getBias() ? apply(SpecOp::Add, {x, builder.load(op.getBias(), channel)}) : x;
}

ExprPtr lower::loadPointwise(SpecBuilder &builder, Operation *op, const At &at) {
  if (auto norm = dyn_cast<BatchNormOp>(op))
    return batchNorm(builder, norm, at);
  if (isa<QuantizeOp, RequantizeOp, DequantizeOp>(op))
    return loadQuantized(builder, op, at);
  std::vector<ExprPtr> args;
  for (Value operand : op->getOperands())
    args.push_back(builder.load(operand, at));
  if (auto gelu = dyn_cast<GeluOp>(op))
    return ::gelu(args[0], gelu.getApproximate() == "tanh");
  if (auto clamp = dyn_cast<ClampOp>(op))
    return ::clamp(args[0], clamp.getMin().convertToDouble(), clamp.getMax().convertToDouble());
  if (isa<WhereOp>(op))
    return apply(SpecOp::Select, args);
  if (isa<CastOp>(op))
    return convert(args[0], *dtypeOf(op->getResult(0).getType()));
  if (ExprPtr value = activation(op, args[0]))
    return value;
  StringRef name = op->getName().stripDialect();
  if (std::optional<SpecOp> direct = directOp(name))
    return static_cast<int>(args.size()) == spec::arity(*direct) ? apply(*direct, args) : nullptr;
  return args.size() == 1   ? unary(name, args[0])
         : args.size() == 2 ? binary(name, args[0], args[1])
                            : nullptr;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static double toDouble(Attribute attr) {
  if (auto number = dyn_cast<FloatAttr>(attr))
    return number.getValueAsDouble();
  return static_cast<double>(cast<IntegerAttr>(attr).getInt());
}

/// A number as the type of memory `type` holds it.
static ExprPtr held(Attribute attr, DType type) {
  if (isFloat(type))
    return constant(roundTo(type, toDouble(attr)), computeType(type));
  auto integer = dyn_cast<IntegerAttr>(attr);
  int64_t value = integer ? integer.getValue().getSExtValue() : truncateTo(type, toDouble(attr));
  return constant(wrapTo(type, value), type);
}

static ExprPtr arange(ArangeOp op, DType type, const spec::Index &at) {
  DType exact = isFloat(type) ? DType::F64 : DType::I64;
  ExprPtr position = valueOf(at);
  if (exact == DType::F64)
    position = spec::cast(position, DType::F64);
  ExprPtr scaled = apply(SpecOp::Mul, {position, held(op.getStep(), exact)});
  return convert(apply(SpecOp::Add, {held(op.getStart(), exact), scaled}), type);
}

ExprPtr lower::loadConstant(Operation *op, const At &at) {
  DType type = *dtypeOf(op->getResult(0).getType());
  return llvm::TypeSwitch<Operation *, ExprPtr>(op)
      .Case([&](FullOp op) { return held(op.getValue(), type); })
      .Case([&](ArangeOp op) { return arange(op, type, at[0]); })
      .Case([&](ExtentOp op) { return number(op.getValue().getDims()[0], DType::I64); })
      .Case([&](EyeOp op) {
        DType compute = computeType(type);
        return apply(SpecOp::Select,
                     {apply(SpecOp::Eq, {valueOf(at[0]), valueOf(at[1])}),
                      constant(int64_t(1), compute), constant(int64_t(0), compute)});
      })
      .Case([&](ConstantOp op) -> ExprPtr {
        auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
        return elements && elements.isSplat() ? held(elements.getSplatValue<Attribute>(), type)
                                              : nullptr;
      })
      .Default([](Operation *) { return nullptr; });
}
