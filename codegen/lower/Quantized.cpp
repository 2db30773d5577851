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

/// The value, rounded, plus the zero point (null: none), in the range of i8 or u8.
static ExprPtr saturate(SpecBuilder &builder, ExprPtr x, Value zeroPoint, const At &where,
                        DType type) {
  // Far outside of both ranges, whatever the zero point; a NaN becomes 0 as an integer.
  x = apply(SpecOp::Max, {apply(SpecOp::Round, {x}), constant(-1024.0, x->type)});
  x = apply(SpecOp::Min, {x, constant(1024.0, x->type)});
  ExprPtr sum = spec::cast(x, DType::I32);
  if (zeroPoint)
    sum = apply(SpecOp::Add, {sum, spec::cast(builder.load(zeroPoint, where), DType::I32)});
  auto bound = [](double value) { return constant(static_cast<int64_t>(value), DType::I32); };
  sum = apply(SpecOp::Min, {apply(SpecOp::Max, {sum, bound(lowest(type))}), bound(largest(type))});
  return spec::cast(sum, type);
}

static ExprPtr quantize(SpecBuilder &builder, QuantizeOp op, const At &at) {
  At where = scaleAt(op.getScale(), at, op.getAxis(), op.getGroup());
  ExprPtr x = apply(SpecOp::Div, {builder.load(op.getX(), at), builder.load(op.getScale(), where)});
  return saturate(builder, x, op.getZeroPoint(), where, *dtypeOf(op.getType()));
}

static ExprPtr requantize(SpecBuilder &builder, RequantizeOp op, const At &at) {
  At where = scaleAt(op.getScale(), at, op.getAxis(), /*group=*/0);
  ExprPtr x = spec::cast(builder.load(op.getX(), at), DType::F32);
  x = apply(SpecOp::Mul, {x, builder.load(op.getScale(), where)});
  return saturate(builder, x, op.getZeroPoint(), where, *dtypeOf(op.getType()));
}

static ExprPtr dequantize(SpecBuilder &builder, DequantizeOp op, const At &at) {
  At where = scaleAt(op.getScale(), at, op.getAxis(), op.getGroup());
  ExprPtr x = spec::cast(builder.load(op.getX(), at), DType::I32);
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
