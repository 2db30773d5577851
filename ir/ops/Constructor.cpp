//===- Constructor.cpp - tensors from nothing -----------------------------===//

#include "ir/ops/Common.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

static double numberOf(Attribute attr) {
  if (auto f = dyn_cast<FloatAttr>(attr))
    return f.getValueAsDouble();
  return static_cast<double>(cast<IntegerAttr>(attr).getInt());
}

/// The number as an integer, exactly if it is given as one.
static int64_t integerOf(Attribute attr) {
  if (auto integer = dyn_cast<IntegerAttr>(attr))
    return integer.getInt();
  return truncateTo(DType::I64, numberOf(attr));
}

/// Sets an element to a number given as an i64 or f64 attribute.
static void setElement(Tensor &t, int64_t i, Attribute attr) {
  if (t.isFloat())
    t.floats[i] = roundTo(t.type, numberOf(attr));
  else if (auto integer = dyn_cast<IntegerAttr>(attr))
    t.ints[i] = wrapTo(t.type, integer.getInt());
  else
    t.ints[i] = truncateTo(t.type, numberOf(attr));
}

static LogicalResult checkExtents(MaybeLoc loc, StringRef name, ArrayRef<DimExpr> dims) {
  for (const DimExpr &dim : dims)
    if (std::optional<int64_t> value = dim.constantValue();
        value && *value < 0) // full-c2, arange-c2
      return emitOptionalError(loc, "'", name, "' expected extents of at least 0, got ", *value);
  return success();
}

KILN_INFER(FullOp) {
  Adaptor op(operands, attributes, properties, regions);
  SmallVector<DimExpr> dims = op.getShape().getDims();
  if (failed(checkExtents(loc, "full", dims)))
    return failure();
  results.push_back(tensorType(op.getDtype(), dims));
  return success();
}

LogicalResult FullOp::verify() {
  DType type = *dtypeOf(getType());
  double value = numberOf(getValue());
  auto integer = dyn_cast<IntegerAttr>(getValue());
  bool isExact = value >= -0x1p63 && value < 0x1p63 &&
                 static_cast<double>(wrapTo(type, static_cast<int64_t>(value))) == value;
  if (integer)
    isExact = wrapTo(type, integer.getInt()) == integer.getInt();
  if (!isFloat(type) && !isExact) // full-c1
    return emitOpError("expected a value that is exact in ")
           << StringRef(name(type)) << ", got " << value;
  return success();
}

KILN_EVALUATE(FullOp) {
  for (int64_t i = 0, n = results[0].numElements(); i < n; ++i)
    setElement(results[0], i, getValue());
  return success();
}

// filled-c1 is checked with full-c2.
#define KILN_FILLED(Op, text, number)                                                              \
  KILN_INFER(Op) {                                                                                 \
    Adaptor op(operands, attributes, properties, regions);                                         \
    SmallVector<DimExpr> dims = op.getShape().getDims();                                           \
    results.push_back(tensorType(op.getDtype(), dims));                                            \
    return checkExtents(loc, text, dims);                                                          \
  }                                                                                                \
  KILN_EVALUATE(Op) {                                                                              \
    std::fill(results[0].floats.begin(), results[0].floats.end(), number);                         \
    std::fill(results[0].ints.begin(), results[0].ints.end(), number);                             \
    return success();                                                                              \
  }                                                                                                \
  SmallVector<Value> Op::decompose(OpBuilder &b) {                                                 \
    return {FullOp::create(b, getLoc(), getType(), getShape(), b.getI64IntegerAttr(number),        \
                           getDtype())};                                                           \
  }
KILN_FILLED(ZerosOp, "zeros", 0)
KILN_FILLED(OnesOp, "ones", 1)

KILN_INFER(ArangeOp) {
  Adaptor op(operands, attributes, properties, regions);
  SmallVector<DimExpr> dims = op.getCount().getDims();
  Type type = tensorType(op.getDtype(), dims);
  if (failed(checkExtents(loc, "arange", dims)) ||
      failed(requireDomain(loc, "arange", type, Domain::Number))) // arange-c1
    return failure();
  results.push_back(type);
  return success();
}

KILN_EVALUATE(ArangeOp) {
  Tensor &y = results[0];
  double start = numberOf(getStart()), step = numberOf(getStep());
  uint64_t first = integerOf(getStart()), by = integerOf(getStep()); // wraps
  for (int64_t i = 0, n = y.numElements(); i < n; ++i) {
    if (y.isFloat())
      y.floats[i] = roundTo(y.type, start + static_cast<double>(i) * step);
    else
      y.ints[i] = wrapTo(y.type, static_cast<int64_t>(first + static_cast<uint64_t>(i) * by));
  }
  return success();
}

KILN_INFER(EyeOp) {
  Adaptor op(operands, attributes, properties, regions);
  SmallVector<DimExpr> dims = op.getCount().getDims();
  Type type = tensorType(op.getDtype(), {dims[0], dims[0]});
  if (failed(requireDomain(loc, "eye", type, Domain::Number))) // eye-c1
    return failure();
  results.push_back(type);
  return success();
}

KILN_EVALUATE(EyeOp) {
  Tensor &y = results[0];
  for (int64_t i = 0, n = y.shape[0]; i < n; ++i) {
    if (y.isFloat())
      y.floats[i * n + i] = 1;
    else
      y.ints[i * n + i] = 1;
  }
  return success();
}

KILN_INFER(ExtentOp) {
  Adaptor op(operands, attributes, properties, regions);
  if (op.getValue().size() != 1) // extent-c1
    return emitOptionalError(loc, "'extent' expected one polynomial, got ", op.getValue().size());
  results.push_back(tensorType(context, DType::I64, {}));
  return success();
}

KILN_EVALUATE(ExtentOp) {
  results[0].ints[0] = evaluation.value(getValue().getDims()[0]);
  return success();
}
