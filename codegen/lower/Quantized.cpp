//===- Quantized.cpp - elements of quantised tensors ------------------------===//

#include "codegen/lower/Builder.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::lower;
using namespace mlir;
using spec::apply;
using spec::constant;
using spec::ExprPtr;
using SpecOp = spec::Op;

/// The position of an element's scale.
static At scaleAt(Value scale, const At &at, int64_t axis, int64_t group) {
  if (group == 0)
    return dimsOf(scale.getType()).empty() ? At() : At{at[axis]};
  At result = at;
  if (dimsOf(scale.getType())[axis] == DimExpr(1)) { // rows are whole groups
    result[axis] = spec::Index();
    return result;
  }
  ExprPtr size = constant(group, DType::I64);
  spec::Index quotient;
  quotient.indirect = apply(SpecOp::FloorDiv, {valueOf(at[axis]), size});
  result[axis] = quotient;
  return result;
}

/// What is known of a number before the kernel runs.
static std::optional<double> known(const ExprPtr &expr) {
  if (expr->op != SpecOp::Const)
    return std::nullopt;
  if (auto *whole = std::get_if<int64_t>(&expr->constant))
    return static_cast<double>(*whole);
  return std::get<double>(expr->constant);
}

/// The whole number nearest to an f32 within ±2^22, ties to even: a sum with 1.5 * 2^23 has it in
/// its last bits. A cast would look after NaN and the ends of i32 once more.
static ExprPtr nearest(const ExprPtr &x) {
  ExprPtr magic = constant(12582912.0, DType::F32);
  ExprPtr bits = spec::bitcast(apply(SpecOp::Add, {x, magic}), DType::I32);
  return apply(SpecOp::Sub, {bits, constant(int64_t(0x4B400000), DType::I32)});
}

/// The value, rounded, plus the zero point (null: none), in the range of i8 or u8. A NaN becomes 0
/// as an integer. The bounds are whole numbers, so they may stand before rounding.
static ExprPtr saturate(SpecBuilder &builder, ExprPtr x, Value zeroPoint, const At &at,
                        DType type) {
  bool isWide = x->type == DType::F64;
  ExprPtr zero = zeroPoint ? builder.load(zeroPoint, at) : constant(int64_t(0), DType::I32);
  std::optional<double> shift = known(zero);
  // Else far outside of both ranges, whatever the zero point.
  ExprPtr low = constant(shift ? lowest(type) - *shift : -1024.0, x->type);
  ExprPtr high = constant(shift ? largest(type) - *shift : 1024.0, x->type);
  if (known(low) != 0)
    x = apply(SpecOp::Select, {apply(SpecOp::Eq, {x, x}), x, constant(0.0, x->type)});
  x = apply(SpecOp::Select, {apply(SpecOp::Lt, {low, x}), x, low}); // low for a NaN
  x = apply(SpecOp::Select, {apply(SpecOp::Lt, {x, high}), x, high});
  ExprPtr sum = isWide ? spec::cast(apply(SpecOp::Round, {x}), DType::I32) : nearest(x);
  sum = apply(SpecOp::Add, {sum, spec::cast(zero, DType::I32)});
  if (shift)
    return spec::cast(sum, type);
  auto bound = [](double value) { return constant(static_cast<int64_t>(value), DType::I32); };
  sum = apply(SpecOp::Min, {apply(SpecOp::Max, {sum, bound(lowest(type))}), bound(largest(type))});
  return spec::cast(sum, type);
}

static ExprPtr quantize(SpecBuilder &builder, QuantizeOp op, const At &at) {
  At where = scaleAt(op.getScale(), at, op.getAxis(), op.getGroup());
  ExprPtr x = builder.load(op.getX(), at), scale = builder.load(op.getScale(), where);
  if (known(scale) != 1) // dividing by 1 changes nothing, and not each generator sees it
    x = apply(SpecOp::Div, {x, scale});
  return saturate(builder, x, op.getZeroPoint(), where, *dtypeOf(op.getType()));
}

static ExprPtr requantize(SpecBuilder &builder, RequantizeOp op, const At &at) {
  At where = scaleAt(op.getScale(), at, op.getAxis(), /*group=*/0);
  ExprPtr x = spec::cast(builder.load(op.getX(), at), DType::F32);
  x = apply(SpecOp::Mul, {x, builder.load(op.getScale(), where)});
  return saturate(builder, x, op.getZeroPoint(), where, *dtypeOf(op.getType()));
}

static ExprPtr wordOf(int64_t value) { return constant(value, DType::I32); }

ExprPtr lower::loadBlock(SpecBuilder &builder, Value stored, At at, int64_t axis,
                         const spec::Index &along, NumberBlock block) {
  ExprPtr bytes;
  for (int64_t i = 0; i < block.bytes(); ++i) {
    at[axis] = along;
    at[axis].offset = at[axis].offset + DimExpr(i);
    ExprPtr byte = spec::cast(spec::bitcast(builder.load(stored, at), DType::U8), DType::I32);
    bytes = bytes ? apply(SpecOp::Or, {bytes, apply(SpecOp::Shl, {byte, wordOf(8 * i)})}) : byte;
  }
  // Of signed numbers the highest bits are turned: -4 … 3 are 0 … 7 then.
  return dtypeOf(stored.getType()) == DType::I8
             ? apply(SpecOp::Xor, {bytes, wordOf(block.highestBits())})
             : bytes;
}

ExprPtr lower::numberOf(const ExprPtr &bytes, const ExprPtr &i, NumberBlock block, bool isSigned) {
  ExprPtr from = apply(SpecOp::Mul, {i, wordOf(block.bits)});
  ExprPtr number = apply(SpecOp::And, {apply(SpecOp::Shr, {bytes, from}), wordOf(block.mask())});
  return isSigned ? apply(SpecOp::Add, {number, wordOf(block.low(isSigned))}) : number;
}

/// The number at a position, as an i32.
static ExprPtr numberAt(SpecBuilder &builder, DequantizeOp op, const At &at) {
  if (op.getBits() == 8)
    return spec::cast(builder.load(op.getX(), at), DType::I32);
  NumberBlock block{static_cast<int64_t>(op.getBits())};
  auto axis = static_cast<int64_t>(op.getAxis());
  ExprPtr position = valueOf(at[axis]), numbers = constant(block.numbers(), DType::I64);
  spec::Index along;
  along.indirect = apply(SpecOp::Mul, {apply(SpecOp::FloorDiv, {position, numbers}),
                                       constant(block.bytes(), DType::I64)});
  ExprPtr bytes = loadBlock(builder, op.getX(), at, axis, along, block);
  ExprPtr i = spec::cast(apply(SpecOp::Mod, {position, numbers}), DType::I32);
  return numberOf(bytes, i, block, dtypeOf(op.getX().getType()) == DType::I8);
}

static ExprPtr dequantize(SpecBuilder &builder, DequantizeOp op, const At &at) {
  At where = scaleAt(op.getScale(), at, op.getAxis(), op.getGroup());
  ExprPtr x = numberAt(builder, op, at);
  if (op.getZeroPoint())
    x = apply(SpecOp::Sub, {x, spec::cast(builder.load(op.getZeroPoint(), where), DType::I32)});
  ExprPtr scale = builder.load(op.getScale(), where);
  return apply(SpecOp::Mul, {spec::cast(x, scale->type), scale});
}

ExprPtr lower::loadQuantized(SpecBuilder &builder, Operation *op, const At &at) {
  if (auto quantized = dyn_cast<QuantizeOp>(op))
    return quantize(builder, quantized, at);
  if (auto requantized = dyn_cast<RequantizeOp>(op))
    return requantize(builder, requantized, at);
  return dequantize(builder, cast<DequantizeOp>(op), at);
}
