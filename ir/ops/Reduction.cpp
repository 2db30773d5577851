//===- Reduction.cpp - many elements to one -------------------------------===//

#include "ir/ops/Common.h"

#include <cmath>
#include <limits>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

static LogicalResult inferReduction(MaybeLoc loc, StringRef name, Type type, ArrayRef<int64_t> axes,
                                    bool keepdims, std::optional<DType> resultType,
                                    SmallVectorImpl<Type> &results) {
  SmallVector<DimExpr> dims = dimsOf(type), kept;
  SmallVector<bool> reduced(dims.size(), false);
  for (int64_t axis : axes) {
    if (axis < 0 || axis >= static_cast<int64_t>(dims.size()) || reduced[axis]) // reduction-c1
      return emitOptionalError(loc, "'", name, "' expected different axes from 0 to ",
                               int64_t(dims.size()) - 1, ", got ", axis);
    reduced[axis] = true;
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!reduced[i])
      kept.push_back(dims[i]);
    else if (keepdims)
      kept.push_back(1);
  }
  Type element = resultType ? elementType(type.getContext(), *resultType)
                            : cast<RankedTensorType>(type).getElementType();
  results.push_back(tensorType(element, kept));
  return success();
}

/// Calls `visit(group, element)` for every element with the position of its result.
static void forEachGroup(const Tensor &x, ArrayRef<int64_t> axes,
                         function_ref<void(int64_t, int64_t)> visit) {
  SmallVector<int64_t, 6> strides(x.shape.size(), 0);
  int64_t stride = 1;
  for (size_t i = x.shape.size(); i-- > 0;)
    if (!llvm::is_contained(axes, static_cast<int64_t>(i))) {
      strides[i] = stride;
      stride *= x.shape[i];
    }
  int64_t element = 0;
  forEachIndex(x.shape, [&](ArrayRef<int64_t> index) { visit(linear(index, strides), element++); });
}

static int64_t groupSize(const Tensor &x, ArrayRef<int64_t> axes) {
  int64_t n = 1;
  for (int64_t axis : axes)
    n *= x.shape[axis];
  return n;
}

static double larger(double a, double b) { return std::isnan(a) || a > b ? a : b; }
static double smaller(double a, double b) { return std::isnan(a) || a < b ? a : b; }

/// Combines all elements of a group from a start value; floats and integers alike.
static LogicalResult reduce(const Tensor &x, Tensor &y, ArrayRef<int64_t> axes, double floatStart,
                            int64_t intStart, double (*onFloat)(double, double),
                            int64_t (*onInt)(int64_t, int64_t)) {
  std::fill(y.floats.begin(), y.floats.end(), floatStart);
  std::fill(y.ints.begin(), y.ints.end(), intStart);
  forEachGroup(x, axes, [&](int64_t group, int64_t element) {
    if (x.isFloat())
      y.floats[group] = onFloat(y.floats[group], x.floats[element]);
    else
      y.ints[group] = wrapTo(y.type, onInt(y.ints[group], x.ints[element]));
  });
  return success();
}

#define KILN_REDUCTION_TYPES(Op, domain)                                                           \
  KILN_INFER(Op) {                                                                                 \
    Adaptor op(operands, attributes, properties, regions);                                         \
    StringRef name = getOperationName().drop_front(5);                                             \
    if (failed(                                                                                    \
            requireDomain(loc, name, operands[0].getType(), Domain::domain))) /* reduction-c2 */   \
      return failure();                                                                            \
    return inferReduction(loc, name, operands[0].getType(), op.getAxis(), op.getKeepdims(),        \
                          std::nullopt, results);                                                  \
  }

#define KILN_REDUCTION(Op, domain, floatStart, intStart, floatExpr, intExpr)                       \
  KILN_REDUCTION_TYPES(Op, domain)                                                                 \
  KILN_EVALUATE(Op) {                                                                              \
    return reduce(                                                                                 \
        *operands[0], results[0], getAxis(), floatStart, intStart,                                 \
        [](double a, double b) -> double { return floatExpr; },                                    \
        [](int64_t a, int64_t b) -> int64_t { return intExpr; });                                  \
  }

static constexpr double inf = std::numeric_limits<double>::infinity();
static constexpr int64_t intMin = std::numeric_limits<int64_t>::min(),
                         intMax = std::numeric_limits<int64_t>::max();

static int64_t wrapSum(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
static int64_t wrapProduct(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

KILN_REDUCTION(SumOp, Number, 0, 0, a + b, wrapSum(a, b))
KILN_REDUCTION(ProdOp, Number, 1, 1, a *b, wrapProduct(a, b))
KILN_REDUCTION(AnyOp, Bool, 0, 0, a, a | b)
KILN_REDUCTION(AllOp, Bool, 0, 1, a, a &b)

/// The extreme of nothing does not exist.
static SmallVector<Requirement> atLeastOne(Type type, ArrayRef<int64_t> axes) {
  SmallVector<DimExpr> dims = dimsOf(type);
  SmallVector<Requirement> all;
  for (int64_t axis : axes)
    all.push_back({dims[axis], Relation::AtLeast, 1,
                   "the number of elements along axis " + std::to_string(axis)});
  return all;
}

static LogicalResult checkNotEmpty(MaybeLoc loc, StringRef name, Type type,
                                   ArrayRef<int64_t> axes) {
  for (int64_t axis : axes)
    if (dimsOf(type)[axis] == DimExpr(0)) // reduction-c3, argreduction-c1
      return emitOptionalError(loc, "'", name, "' expected at least one element along axis ", axis,
                               ", got ", typeText(type));
  return success();
}

#define KILN_EXTREME(Op, start, intStart, combine, compare)                                        \
  KILN_INFER(Op) {                                                                                 \
    Adaptor op(operands, attributes, properties, regions);                                         \
    StringRef name = getOperationName().drop_front(5);                                             \
    Type type = operands[0].getType();                                                             \
    if (failed(requireDomain(loc, name, type, Domain::Number)) ||                                  \
        failed(inferReduction(loc, name, type, op.getAxis(), op.getKeepdims(), std::nullopt,       \
                              results)))                                                           \
      return failure();                                                                            \
    return checkNotEmpty(loc, name, type, op.getAxis());                                           \
  }                                                                                                \
  SmallVector<Requirement> Op::getRequirements() {                                                 \
    return atLeastOne(getX().getType(), getAxis());                                                \
  }                                                                                                \
  KILN_EVALUATE(Op) {                                                                              \
    return reduce(*operands[0], results[0], getAxis(), start, intStart, combine,                   \
                  [](int64_t a, int64_t b) -> int64_t { return a compare b ? a : b; });            \
  }

KILN_EXTREME(MaxOp, -inf, intMin, larger, >)
KILN_EXTREME(MinOp, inf, intMax, smaller, <)

KILN_REDUCTION_TYPES(MeanOp, Float)
KILN_EVALUATE(MeanOp) {
  const Tensor &x = *operands[0];
  double count = static_cast<double>(groupSize(x, getAxis()));
  forEachGroup(x, getAxis(), [&](int64_t g, int64_t i) { results[0].floats[g] += x.floats[i]; });
  for (double &v : results[0].floats)
    v /= count;
  return success();
}

KILN_REDUCTION_TYPES(VarOp, Float)
KILN_EVALUATE(VarOp) {
  const Tensor &x = *operands[0];
  double count = static_cast<double>(groupSize(x, getAxis()));
  std::vector<double> mean(results[0].floats.size(), 0);
  if (count == 0) // 0 / 0, as NumPy's
    std::fill(results[0].floats.begin(), results[0].floats.end(),
              std::numeric_limits<double>::quiet_NaN());
  forEachGroup(x, getAxis(), [&](int64_t g, int64_t i) { mean[g] += x.floats[i] / count; });
  forEachGroup(x, getAxis(), [&](int64_t g, int64_t i) {
    results[0].floats[g] += (x.floats[i] - mean[g]) * (x.floats[i] - mean[g]) / count;
  });
  return success();
}

/// Largest element of each group; 0 where it is infinite, so that subtracting it is harmless.
static std::vector<double> largest(const Tensor &x, ArrayRef<int64_t> axes, size_t groups) {
  std::vector<double> top(groups, -inf);
  forEachGroup(x, axes, [&](int64_t g, int64_t i) { top[g] = larger(top[g], x.floats[i]); });
  return top;
}

KILN_REDUCTION_TYPES(LogSumExpOp, Float)
KILN_EVALUATE(LogSumExpOp) {
  const Tensor &x = *operands[0];
  Tensor &y = results[0];
  std::vector<double> top = largest(x, getAxis(), y.floats.size());
  for (double &v : top)
    v = std::isinf(v) ? 0 : v;
  forEachGroup(x, getAxis(),
               [&](int64_t g, int64_t i) { y.floats[g] += std::exp(x.floats[i] - top[g]); });
  for (size_t g = 0; g < top.size(); ++g)
    y.floats[g] = std::log(y.floats[g]) + top[g];
  return success();
}

//===----------------------------------------------------------------------===//
// argmax, argmin
//===----------------------------------------------------------------------===//

static LogicalResult inferArg(MaybeLoc loc, StringRef name, Type type, int64_t axis, bool keepdims,
                              SmallVectorImpl<Type> &results) {
  if (failed(requireDomain(loc, name, type, Domain::Number)) ||
      failed(inferReduction(loc, name, type, axis, keepdims, DType::I64, results)))
    return failure();
  return checkNotEmpty(loc, name, type, axis);
}

static LogicalResult evaluateArg(const Tensor &x, Tensor &y, int64_t axis, bool largestWanted) {
  std::vector<int64_t> best(y.ints.size(), -1), seen(y.ints.size(), 0);
  auto better = [&](int64_t a, int64_t b) { // a is better than b
    if (!x.isFloat())
      return largestWanted ? x.ints[a] > x.ints[b] : x.ints[a] < x.ints[b];
    if (std::isnan(x.floats[b]))
      return false;
    return std::isnan(x.floats[a]) ||
           (largestWanted ? x.floats[a] > x.floats[b] : x.floats[a] < x.floats[b]);
  };
  forEachGroup(x, axis, [&](int64_t g, int64_t i) {
    if (best[g] < 0 || better(i, best[g])) {
      best[g] = i;
      y.ints[g] = seen[g];
    }
    ++seen[g];
  });
  return success();
}

SmallVector<Requirement> ArgmaxOp::getRequirements() {
  return atLeastOne(getX().getType(), getAxis());
}
SmallVector<Requirement> ArgminOp::getRequirements() {
  return atLeastOne(getX().getType(), getAxis());
}
KILN_INFER(ArgmaxOp) {
  Adaptor op(operands, attributes, properties, regions);
  return inferArg(loc, "argmax", operands[0].getType(), op.getAxis(), op.getKeepdims(), results);
}
KILN_EVALUATE(ArgmaxOp) { return evaluateArg(*operands[0], results[0], getAxis(), true); }
KILN_INFER(ArgminOp) {
  Adaptor op(operands, attributes, properties, regions);
  return inferArg(loc, "argmin", operands[0].getType(), op.getAxis(), op.getKeepdims(), results);
}
KILN_EVALUATE(ArgminOp) { return evaluateArg(*operands[0], results[0], getAxis(), false); }

//===----------------------------------------------------------------------===//
// softmax, log_softmax
//===----------------------------------------------------------------------===//

static LogicalResult checkSoftmax(MaybeLoc loc, StringRef name, Type type, int64_t axis) {
  if (failed(requireDomain(loc, name, type, Domain::Float))) // softmax-c1
    return failure();
  int64_t rank = cast<RankedTensorType>(type).getRank();
  if (axis < 0 || axis >= rank) // softmax-c2
    return emitOptionalError(loc, "'", name, "' expected an axis from 0 to ", rank - 1, ", got ",
                             axis);
  return success();
}

static LogicalResult evaluateSoftmax(const Tensor &x, Tensor &y, int64_t axis, bool logarithm) {
  size_t groups = 1;
  for (size_t i = 0; i < x.shape.size(); ++i)
    groups *= static_cast<int64_t>(i) == axis ? 1 : x.shape[i];
  std::vector<double> top = largest(x, axis, groups), sum(groups, 0);
  forEachGroup(x, axis, [&](int64_t g, int64_t i) { sum[g] += std::exp(x.floats[i] - top[g]); });
  forEachGroup(x, axis, [&](int64_t g, int64_t i) {
    double shifted = x.floats[i] - top[g];
    y.floats[i] = logarithm ? shifted - std::log(sum[g]) : std::exp(shifted) / sum[g];
  });
  return success();
}

#define KILN_SOFTMAX(Op, text, logarithm)                                                          \
  KILN_INFER(Op) {                                                                                 \
    Adaptor op(operands, attributes, properties, regions);                                         \
    results.push_back(operands[0].getType());                                                      \
    return checkSoftmax(loc, text, operands[0].getType(), op.getAxis());                           \
  }                                                                                                \
  LogicalResult Op::verify() { return checkSoftmax(getLoc(), text, getX().getType(), getAxis()); } \
  KILN_EVALUATE(Op) { return evaluateSoftmax(*operands[0], results[0], getAxis(), logarithm); }
KILN_SOFTMAX(SoftmaxOp, "softmax", false)
KILN_SOFTMAX(LogSoftmaxOp, "log_softmax", true)
