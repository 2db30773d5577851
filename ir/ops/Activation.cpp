//===- Activation.cpp - activation functions ------------------------------===//

#include "ir/Build.h"
#include "ir/ops/Common.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

static LogicalResult map(ArrayRef<const Tensor *> in, Tensor &out,
                         function_ref<double(double)> apply) {
  llvm::transform(in[0]->floats, out.floats.begin(), apply);
  return success();
}

/// (op class, value of a double x in terms of the op's attributes)
#define KILN_ACTIVATION(Op, value)                                                                 \
  KILN_INFER(Op) {                                                                                 \
    Type type = operands[0].getType();                                                             \
    if (failed(requireDomain(loc, getOperationName().drop_front(5), type, Domain::Float)))         \
      return failure();                                                                            \
    results.push_back(type);                                                                       \
    return success();                                                                              \
  }                                                                                                \
  LogicalResult Op::verify() {                                                                     \
    return requireDomain(getLoc(), getOperationName().drop_front(5), getX().getType(),             \
                         Domain::Float); /* activation-c1 */                                       \
  }                                                                                                \
  KILN_EVALUATE(Op) {                                                                              \
    return map(operands, results[0], [&](double x) -> double { return value; });                   \
  }

static double elu(double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x); }
static double celu(double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x / alpha); }
static double selu(double x) {
  return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717);
}
/// log(1 + exp(x)) without overflow.
static double softplus(double x) {
  return std::isnan(x) ? x : std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x)));
}
static double hardsigmoid(double x) {
  return std::isnan(x) ? x : std::fmin(std::fmax(x + 3, 0), 6) / 6;
}
static double softshrink(double x, double lambda) {
  return x > lambda ? x - lambda : x < -lambda ? x + lambda : std::isnan(x) ? x : 0;
}
static double number(const llvm::APFloat &value) { return value.convertToDouble(); }

KILN_ACTIVATION(LeakyReluOp, x > 0 ? x : x * number(getNegativeSlope()))
KILN_ACTIVATION(EluOp, elu(x, number(getAlpha())))
KILN_ACTIVATION(CeluOp, celu(x, number(getAlpha())))
KILN_ACTIVATION(SeluOp, selu(x))
KILN_ACTIVATION(SoftplusOp, x *number(getBeta()) > number(getThreshold())
                                ? x
                                : softplus(x * number(getBeta())) / number(getBeta()))
KILN_ACTIVATION(MishOp, x *std::tanh(softplus(x)))
KILN_ACTIVATION(HardsigmoidOp, hardsigmoid(x))
KILN_ACTIVATION(HardswishOp, x *hardsigmoid(x))
KILN_ACTIVATION(SoftsignOp, x / (1 + std::fabs(x)))
KILN_ACTIVATION(LogSigmoidOp, -softplus(-x))
KILN_ACTIVATION(SoftshrinkOp, softshrink(x, number(getLambd())))
KILN_ACTIVATION(HardshrinkOp, x >= -number(getLambd()) && x <= number(getLambd()) ? 0 : x)

//===----------------------------------------------------------------------===//
// prelu
//===----------------------------------------------------------------------===//

KILN_INFER(PReluOp) {
  Type type = operands[0].getType(), weight = operands[1].getType();
  SmallVector<DimExpr> dims = dimsOf(type), scale = dimsOf(weight);
  if (failed(requireDomain(loc, "prelu", type, Domain::Float))) // prelu-c1
    return failure();
  bool fits = scale.size() == 1 &&
              (scale[0].constantValue() == 1 || (dims.size() > 1 && scale[0] == dims[1]));
  if (!fits || dtypeOf(weight) != dtypeOf(type)) // prelu-c2
    return emitOptionalError(loc, "'prelu' expected a weight for each channel of ", typeText(type),
                             " or one for all, got ", typeText(weight));
  results.push_back(type);
  return success();
}

void PReluOp::alignShapes(MutableArrayRef<SmallVector<DimExpr>> shapes, DictionaryAttr,
                          AlignExtent require) {
  if (shapes[0].size() > 1 && shapes[1].size() == 1 && shapes[1][0].constantValue() != 1)
    align(shapes[1][0], shapes[0][1], "the number of channels", require);
}

KILN_EVALUATE(PReluOp) {
  const Tensor &x = *operands[0], &weight = *operands[1];
  int64_t channels = weight.shape[0], inner = channels == 1 ? 1 : x.strides()[1];
  for (int64_t i = 0, n = x.numElements(); i < n; ++i)
    results[0].floats[i] =
        x.floats[i] > 0 ? x.floats[i] : x.floats[i] * weight.floats[i / inner % channels];
  return success();
}

SmallVector<Value> PReluOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  SmallVector<DimExpr> dims = dimsOf(getX().getType()), column(dims.size(), 1);
  if (dims.size() > 1)
    column[1] = dimsOf(getWeight().getType())[0];
  Value weight = b.broadcast(b.reshape(getWeight(), column), dims);
  Value isPositive = b.make<GtOp>(getX(), b.full(0, dims, b.elementOf(getX())));
  return {b.make<WhereOp>(isPositive, getX(), b.make<MulOp>(getX(), weight))};
}
