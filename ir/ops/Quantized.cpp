//===- Quantized.cpp - numbers as small integers and scales ---------------===//

#include "ir/ops/Common.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

static bool isSmallInteger(Type type) {
  return dtypeOf(type) == DType::I8 || dtypeOf(type) == DType::U8;
}

/// quantized-c1 to quantized-c3, on the operands x, scale and zero_point.
static LogicalResult requireScales(MaybeLoc loc, StringRef op, ValueRange operands, int64_t axis,
                                   int64_t group) {
  SmallVector<DimExpr> x = dimsOf(operands[0].getType()), scale = dimsOf(operands[1].getType());
  int64_t rank = x.size();
  bool isPerTensor = scale.empty() && group == 0;
  if (group < 0 || (!isPerTensor && (axis < 0 || axis >= rank))) // quantized-c1
    return emitOptionalError(loc, "'", op, "' expected an axis of ",
                             typeText(operands[0].getType()), " and a group of at least 0, got ",
                             axis, " and ", group);
  SmallVector<DimExpr> wanted;
  if (group > 0) {
    wanted = x;
    wanted[axis] = DimExpr::floorDiv(x[axis] + DimExpr(group - 1), group);
  } else if (!isPerTensor) {
    wanted.push_back(x[axis]);
  }
  if (scale != wanted) // quantized-c2
    return emitOptionalError(loc, "'", op, "' expected scales of shape ",
                             typeText(tensorType(operands[1].getType().getContext(),
                                                 *dtypeOf(operands[1].getType()), wanted)),
                             ", got ", typeText(operands[1].getType()));
  if (operands.size() > 2 && dimsOf(operands[2].getType()) != scale) // quantized-c3
    return emitOptionalError(loc, "'", op, "' expected a zero point for each scale, got ",
                             typeText(operands[2].getType()), " and ",
                             typeText(operands[1].getType()));
  return success();
}

KILN_INFER(QuantizeOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type x = operands[0].getType(), scale = operands[1].getType();
  if (failed(requireDomain(loc, "quantize", x, Domain::Float))) // quantize-c1
    return failure();
  if (dtypeOf(scale) != dtypeOf(x))
    return emitOptionalError(loc, "'quantize' expected scales of the type of x, got ",
                             typeText(scale), " and ", typeText(x));
  RankedTensorType type = tensorType(op.getDtype(), dimsOf(x));
  if (!isSmallInteger(type) ||
      (operands.size() > 2 && dtypeOf(operands[2].getType()) != dtypeOf(type))) // quantize-c2
    return emitOptionalError(
        loc, "'quantize' expected i8 or u8, and zero points of the same, got ", typeText(type),
        operands.size() > 2 ? " and " + typeText(operands[2].getType()) : std::string());
  if (failed(requireScales(loc, "quantize", operands, op.getAxis(), op.getGroup())))
    return failure();
  results.push_back(type);
  return success();
}

KILN_INFER(DequantizeOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type x = operands[0].getType(), scale = operands[1].getType();
  if (!isSmallInteger(x) ||
      (operands.size() > 2 && dtypeOf(operands[2].getType()) != dtypeOf(x))) // dequantize-c1
    return emitOptionalError(
        loc, "'dequantize' expected i8 or u8, and zero points of the same, got ", typeText(x),
        operands.size() > 2 ? " and " + typeText(operands[2].getType()) : std::string());
  if (!isFloat(*dtypeOf(scale))) // dequantize-c2
    return emitOptionalError(loc, "'dequantize' expected scales of a float type, got ",
                             typeText(scale));
  if (failed(requireScales(loc, "dequantize", operands, op.getAxis(), op.getGroup())))
    return failure();
  results.push_back(tensorType(cast<RankedTensorType>(scale).getElementType(), dimsOf(x)));
  return success();
}

/// Calls `body` with each element's position and that of its scale.
static void forEachScaled(const Tensor &x, const Tensor &scale, int64_t axis, int64_t group,
                          function_ref<void(int64_t element, int64_t scale)> body) {
  SmallVector<int64_t, 6> strides = scale.strides();
  int64_t element = 0;
  forEachIndex(x.shape, [&](ArrayRef<int64_t> index) {
    int64_t at = 0;
    if (group > 0)
      for (size_t d = 0; d < index.size(); ++d)
        at += (static_cast<int64_t>(d) == axis ? index[d] / group : index[d]) * strides[d];
    else if (!scale.shape.empty())
      at = index[axis];
    body(element++, at);
  });
}

KILN_EVALUATE(QuantizeOp) {
  const Tensor &x = *operands[0], &scale = *operands[1];
  const Tensor *zero = operands.size() > 2 ? operands[2] : nullptr;
  Tensor &q = results[0];
  int64_t least = q.type == DType::U8 ? 0 : -128, most = q.type == DType::U8 ? 255 : 127;
  DType compute = x.type == DType::F64 ? DType::F64 : DType::F32;
  forEachScaled(x, scale, getAxis(), getGroup(), [&](int64_t i, int64_t at) {
    double quotient = roundTo(compute, x.floats[i] / scale.floats[at]);
    // Far outside of both ranges, whatever the zero point.
    double whole = std::fmin(std::fmax(std::nearbyint(quotient), -1024), 1024);
    int64_t sum =
        (std::isnan(quotient) ? 0 : static_cast<int64_t>(whole)) + (zero ? zero->ints[at] : 0);
    q.ints[i] = std::min(std::max(sum, least), most);
  });
  return success();
}

KILN_EVALUATE(DequantizeOp) {
  const Tensor &x = *operands[0], &scale = *operands[1];
  const Tensor *zero = operands.size() > 2 ? operands[2] : nullptr;
  forEachScaled(x, scale, getAxis(), getGroup(), [&](int64_t i, int64_t at) {
    int64_t difference = x.ints[i] - (zero ? zero->ints[at] : 0);
    results[0].floats[i] = static_cast<double>(difference) * scale.floats[at];
  });
  return success();
}
