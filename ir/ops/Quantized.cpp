//===- Quantized.cpp - numbers as small integers and scales ---------------===//

#include "ir/NumberBlock.h"
#include "ir/ops/Common.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

static bool isSmallInteger(Type type) {
  return dtypeOf(type) == DType::I8 || dtypeOf(type) == DType::U8;
}

/// quantized-c1 to quantized-c3, on the shape of the numbers and the operands x, scale and
/// zero_point.
static LogicalResult requireScales(MaybeLoc loc, StringRef op, ArrayRef<DimExpr> x,
                                   ValueRange operands, int64_t axis, int64_t group) {
  SmallVector<DimExpr> scale = dimsOf(operands[1].getType());
  int64_t rank = x.size();
  bool isPerTensor = scale.empty() && group == 0;
  if (group < 0 || (!isPerTensor && (axis < 0 || axis >= rank))) // quantized-c1
    return emitOptionalError(loc, "'", op, "' expected an axis of ",
                             typeText(operands[0].getType()), " and a group of at least 0, got ",
                             axis, " and ", group);
  SmallVector<DimExpr> wanted;
  if (group > 0) {
    wanted.assign(x.begin(), x.end());
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

/// What a quantiser gives: i8 or u8, the type of its zero points.
static LogicalResult requireTarget(MaybeLoc loc, StringRef op, ValueRange operands, Type type) {
  if (isSmallInteger(type) &&
      (operands.size() < 3 || dtypeOf(operands[2].getType()) == dtypeOf(type)))
    return success();
  return emitOptionalError(
      loc, "'", op, "' expected i8 or u8, and zero points of the same, got ", typeText(type),
      operands.size() > 2 ? " and " + typeText(operands[2].getType()) : std::string());
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
  if (failed(requireTarget(loc, "quantize", operands, type)) || // quantize-c2
      failed(requireScales(loc, "quantize", dimsOf(x), operands, op.getAxis(), op.getGroup())))
    return failure();
  results.push_back(type);
  return success();
}

KILN_INFER(RequantizeOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type x = operands[0].getType(), scale = operands[1].getType();
  if (dtypeOf(x) != DType::I32 || dtypeOf(scale) != DType::F32) // requantize-c1
    return emitOptionalError(loc, "'requantize' expected sums in i32 and scales in f32, got ",
                             typeText(x), " and ", typeText(scale));
  RankedTensorType type = tensorType(op.getDtype(), dimsOf(x));
  if (failed(requireTarget(loc, "requantize", operands, type)) || // requantize-c2
      failed(requireScales(loc, "requantize", dimsOf(x), operands, op.getAxis(), /*group=*/0)))
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
  SmallVector<DimExpr> shape = dimsOf(x);
  NumberBlock block{static_cast<int64_t>(op.getBits())};
  int64_t axis = op.getAxis(), rank = shape.size();
  bool isPart = block.bits == 4 || block.bits == 3;
  if ((block.bits != 8 && !isPart) || (isPart && (axis < 0 || axis >= rank))) // dequantize-c3
    return emitOptionalError(loc,
                             "'dequantize' expected numbers of 8 bits, or of 4 or 3 along an axis "
                             "of ",
                             typeText(x), ", got ", block.bits, " and ", axis);
  if (isPart) {
    DimExpr blocks = DimExpr::floorDiv(shape[axis], block.bytes());
    if (shape[axis] != blocks * DimExpr(block.bytes()))
      return emitOptionalError(loc, "'dequantize' expected whole blocks of ", block.bytes(),
                               " bytes along axis ", axis, " of ", typeText(x));
    shape[axis] = blocks * DimExpr(block.numbers());
  }
  if (failed(requireScales(loc, "dequantize", shape, operands, axis, op.getGroup())))
    return failure();
  results.push_back(tensorType(cast<RankedTensorType>(scale).getElementType(), shape));
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

/// saturate(round(value) + zero) in i8 or u8.
static int64_t toSmallInteger(double value, int64_t zero, DType type) {
  int64_t least = type == DType::U8 ? 0 : -128, most = type == DType::U8 ? 255 : 127;
  // Far outside of both ranges, whatever the zero point.
  double whole = std::fmin(std::fmax(std::nearbyint(value), -1024), 1024);
  int64_t sum = (std::isnan(value) ? 0 : static_cast<int64_t>(whole)) + zero;
  return std::min(std::max(sum, least), most);
}

KILN_EVALUATE(QuantizeOp) {
  const Tensor &x = *operands[0], &scale = *operands[1];
  const Tensor *zero = operands.size() > 2 ? operands[2] : nullptr;
  Tensor &q = results[0];
  DType compute = x.type == DType::F64 ? DType::F64 : DType::F32;
  forEachScaled(x, scale, getAxis(), getGroup(), [&](int64_t i, int64_t at) {
    double quotient = roundTo(compute, x.floats[i] / scale.floats[at]);
    q.ints[i] = toSmallInteger(quotient, zero ? zero->ints[at] : 0, q.type);
  });
  return success();
}

KILN_EVALUATE(RequantizeOp) {
  const Tensor &x = *operands[0], &scale = *operands[1];
  const Tensor *zero = operands.size() > 2 ? operands[2] : nullptr;
  Tensor &q = results[0];
  forEachScaled(x, scale, getAxis(), /*group=*/0, [&](int64_t i, int64_t at) {
    double product = roundTo(DType::F32, roundTo(DType::F32, x.ints[i]) * scale.floats[at]);
    q.ints[i] = toSmallInteger(product, zero ? zero->ints[at] : 0, q.type);
  });
  return success();
}

/// The numbers in bytes, of which there are more along the axis.
static Tensor numbersOf(const Tensor &x, NumberBlock block, int64_t axis, ArrayRef<int64_t> shape) {
  Tensor result(x.type, SmallVector<int64_t>(shape));
  SmallVector<int64_t, 6> strides = x.strides();
  int64_t element = 0;
  forEachIndex(result.shape, [&](ArrayRef<int64_t> index) {
    int64_t at = 0;
    for (size_t d = 0; d < index.size(); ++d)
      at += (static_cast<int64_t>(d) == axis ? index[d] / block.numbers() * block.bytes()
                                             : index[d]) *
            strides[d];
    uint64_t bytes = 0;
    for (int64_t i = 0; i < block.bytes(); ++i)
      bytes |= static_cast<uint64_t>(x.ints[at + i * strides[axis]] & 255) << (8 * i);
    result.ints[element++] =
        block.numberIn(bytes, index[axis] % block.numbers(), x.type == DType::I8);
  });
  return result;
}

KILN_EVALUATE(DequantizeOp) {
  const Tensor &scale = *operands[1];
  const Tensor *zero = operands.size() > 2 ? operands[2] : nullptr;
  std::optional<Tensor> numbers;
  if (getBits() < 8)
    numbers =
        numbersOf(*operands[0], {static_cast<int64_t>(getBits())}, getAxis(), results[0].shape);
  const Tensor &x = numbers ? *numbers : *operands[0];
  forEachScaled(x, scale, getAxis(), getGroup(), [&](int64_t i, int64_t at) {
    int64_t difference = x.ints[i] - (zero ? zero->ints[at] : 0);
    results[0].floats[i] = static_cast<double>(difference) * scale.floats[at];
  });
  return success();
}
