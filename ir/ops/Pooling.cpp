//===- Pooling.cpp - windows over signals, images and volumes -------------===//

#include "ir/Build.h"
#include "ir/ops/Spatial.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

using Dims = SmallVector<DimExpr>;

namespace {
/// A window's attributes, of both pools.
struct Window {
  int rank; ///< spatial dimensions
  ArrayRef<int64_t> kernel, stride, dilation;
  Dims padding;
  bool ceilMode, channelsLast;

  /// Position of the first spatial dimension.
  int first() const { return channelsLast ? 1 : 2; }
};

constexpr int64_t ones[3] = {1, 1, 1};

template <typename Op> bool isChannelsLast(Op &op) {
  if constexpr (requires { op.getChannelsLast(); })
    return op.getChannelsLast();
  return false;
}

template <typename Op> ArrayRef<int64_t> dilationOf(Op &op, int rank) {
  if constexpr (requires { op.getDilation(); })
    return op.getDilation();
  return ArrayRef(ones, rank);
}

template <typename Op> Window windowOf(Op op, int rank) {
  return {rank,
          op.getKernelSize(),
          op.getStride(),
          dilationOf(op, rank),
          op.getPadding().getDims(),
          op.getCeilMode(),
          isChannelsLast(op)};
}
} // namespace

//===----------------------------------------------------------------------===//
// Windows of one size
//===----------------------------------------------------------------------===//

static LogicalResult inferPool(MaybeLoc loc, StringRef name, Type type, Domain domain,
                               const Window &window, SmallVectorImpl<Type> &results) {
  if (failed(requireDomain(loc, name, type, domain)))
    return failure();
  Dims dims = dimsOf(type);
  size_t rank = window.rank;
  if (dims.size() != rank + 2) // pool2d-c1
    return emitOptionalError(loc, "'", name, "' expected an image of ", inWords(rank + 2),
                             " dimensions, got ", typeText(type));
  if (window.kernel.size() != rank || window.stride.size() != rank ||
      window.dilation.size() != rank || window.padding.size() != 2 * rank)
    return emitOptionalError(loc, "'", name, "' expected ", inWords(rank),
                             " window extents, strides, dilations and ", inWords(2 * rank),
                             " paddings");
  for (size_t i = 0; i < rank; ++i) {
    int64_t k = window.kernel[i], s = window.stride[i], d = window.dilation[i];
    DimExpr low = window.padding[2 * i], high = window.padding[2 * i + 1];
    auto fits = [&](const DimExpr &p) {
      return !p.isConstant() ||
             (*p.constantValue() >= 0 && *p.constantValue() * 2 <= (k - 1) * d + 1);
    };
    if (k < 1 || s < 1 || d < 1 || !fits(low) || !fits(high)) // pool2d-c2
      return emitOptionalError(loc, "'", name,
                               "' expected a positive window and stride and a padding of at most "
                               "half the window, got window ",
                               k, ", stride ", s, ", padding ", low.str(), " and ", high.str());
    DimExpr &extent = dims[window.first() + i];
    DimExpr room = extent + low + high - DimExpr((k - 1) * d + 1);
    // With ceil_mode a window may reach beyond the border by less than a step.
    DimExpr grown = room + DimExpr(window.ceilMode ? s - 1 : 0);
    if (std::optional<int64_t> v = grown.constantValue(); v && *v < 0) // pool2d-c3
      return emitOptionalError(loc, "'", name,
                               "' expected a window within the padded image, got window ", k,
                               " on ", typeText(type));
    DimExpr steps = DimExpr::floorDiv(grown, DimExpr(s));
    // With ceil_mode a last window that begins in the bottom padding is dropped: one less where
    // `beyond` is not negative. It is less than high + s - reach.
    DimExpr beyond = steps * DimExpr(s) - extent - low;
    std::optional<int64_t> most = (high + DimExpr(s - 1 - (k - 1) * d - 1)).constantValue();
    if (window.ceilMode && !(most && *most < 0))
      steps = steps - DimExpr::min(DimExpr::max(beyond + DimExpr(1), 0), 1);
    extent = steps + DimExpr(1);
  }
  results.push_back(tensorType(cast<RankedTensorType>(type).getElementType(), dims));
  return success();
}

/// What a call must satisfy for pool2d-c2 and pool2d-c3.
static SmallVector<Requirement> requirementsOfPool(Type type, const Window &window) {
  SmallVector<Requirement> all;
  Dims dims = dimsOf(type);
  for (int i = 0; i < window.rank; ++i) {
    DimExpr low = window.padding[2 * i], high = window.padding[2 * i + 1];
    int64_t reach = (window.kernel[i] - 1) * window.dilation[i] + 1;
    for (const DimExpr &border : {low, high}) {
      all.push_back({border, Relation::AtLeast, 0, "a padding"});
      all.push_back({border, Relation::AtMost, reach / 2, "a padding"});
    }
    all.push_back({dims[window.first() + i] + low + high, Relation::AtLeast,
                   reach - (window.ceilMode ? window.stride[i] - 1 : 0),
                   "the " + spatialName(window.rank, i) + " of the padded image"});
  }
  return all;
}

/// Calls `visit(input, inside, padded)` for each tap of the window of an output position; `finish`
/// then gives the element.
template <typename Start, typename Visit, typename Finish>
static void slide(const Tensor &x, Tensor &y, const Window &window, ArrayRef<int64_t> pad,
                  Start start, Visit visit, Finish finish) {
  auto xs = x.strides();
  int64_t position = 0;
  forEachIndex(y.shape, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t, 5> at(index);
    start();
    forEachIndex(window.kernel, [&](ArrayRef<int64_t> tap) {
      // Taps beyond even the padded image (ceil_mode) do not count in any way.
      bool inside = true, padded = true;
      for (int i = 0; i < window.rank; ++i) {
        int axis = window.first() + i;
        at[axis] = index[axis] * window.stride[i] + tap[i] * window.dilation[i] - pad[2 * i];
        inside &= at[axis] >= 0 && at[axis] < x.shape[axis];
        padded &= at[axis] < x.shape[axis] + pad[2 * i + 1];
      }
      visit(inside ? linear(at, xs) : 0, inside, padded);
    });
    finish(position++);
  });
}

/// Whether element i takes the place of the largest so far, which -1 says is none; NaN is largest.
static bool isLarger(const Tensor &x, int64_t i, int64_t best) {
  if (best < 0)
    return true;
  if (!x.isFloat())
    return x.ints[i] > x.ints[best];
  return !std::isnan(x.floats[best]) && (std::isnan(x.floats[i]) || x.floats[i] > x.floats[best]);
}

static LogicalResult evaluateMax(const Tensor &x, Tensor &y, const Window &window,
                                 const Evaluation &evaluation) {
  int64_t best = -1;
  slide(
      x, y, window, evaluation.values(window.padding), [&] { best = -1; },
      [&](int64_t i, bool inside, bool) {
        if (inside && isLarger(x, i, best))
          best = i;
      },
      [&](int64_t position) { copyElement(x, best, y, position); });
  return success();
}

static LogicalResult evaluateMean(const Tensor &x, Tensor &y, const Window &window, bool countPad,
                                  const Evaluation &evaluation) {
  double sum = 0;
  int64_t count = 0;
  slide(
      x, y, window, evaluation.values(window.padding),
      [&] {
        sum = 0;
        count = 0;
      },
      [&](int64_t i, bool inside, bool padded) {
        sum += inside ? x.floats[i] : 0;
        count += inside || (padded && countPad);
      },
      [&](int64_t position) { y.floats[position] = sum / count; });
  return success();
}

static DimExpr flopsOf(Type result, ArrayRef<int64_t> kernel) {
  DimExpr all = numElements(dimsOf(result));
  for (int64_t extent : kernel)
    all = all * DimExpr(extent);
  return all;
}

#define KILN_POOL(Op, name, rank, domain)                                                          \
  KILN_INFER(Op) {                                                                                 \
    Adaptor op(operands, attributes, properties, regions);                                         \
    return inferPool(loc, name, operands[0].getType(), Domain::domain, windowOf(op, rank),         \
                     results);                                                                     \
  }                                                                                                \
  SmallVector<Requirement> Op::getRequirements() {                                                 \
    return requirementsOfPool(getX().getType(), windowOf(*this, rank));                            \
  }                                                                                                \
  DimExpr Op::flops() { return flopsOf(getType(), getKernelSize()); }

#define KILN_MAX_POOL(Op, name, rank)                                                              \
  KILN_POOL(Op, name, rank, Number)                                                                \
  KILN_EVALUATE(Op) {                                                                              \
    return evaluateMax(*operands[0], results[0], windowOf(*this, rank), evaluation);               \
  }

#define KILN_AVG_POOL(Op, name, rank)                                                              \
  KILN_POOL(Op, name, rank, Float)                                                                 \
  KILN_EVALUATE(Op) {                                                                              \
    return evaluateMean(*operands[0], results[0], windowOf(*this, rank), getCountIncludePad(),     \
                        evaluation);                                                               \
  }

KILN_MAX_POOL(MaxPool1dOp, "max_pool1d", 1)
KILN_MAX_POOL(MaxPool2dOp, "max_pool2d", 2)
KILN_MAX_POOL(MaxPool3dOp, "max_pool3d", 3)
KILN_AVG_POOL(AvgPool1dOp, "avg_pool1d", 1)
KILN_AVG_POOL(AvgPool2dOp, "avg_pool2d", 2)
KILN_AVG_POOL(AvgPool3dOp, "avg_pool3d", 3)

//===----------------------------------------------------------------------===//
// Windows by the extents of the result
//===----------------------------------------------------------------------===//

static LogicalResult inferAdaptive(MaybeLoc loc, StringRef name, Type type, bool isMean, int first,
                                   ArrayRef<int64_t> size, size_t rank,
                                   SmallVectorImpl<Type> &results) {
  Dims dims = dimsOf(type);
  if (dims.size() != rank + 2 ||
      !inDomain(*dtypeOf(type), isMean ? Domain::Float : Domain::Number)) // adaptive_avg_pool2d-c1
    return emitOptionalError(loc, "'", name, "' expected ",
                             isMean ? "a float image of " : "an image of numbers of ",
                             inWords(rank + 2), " dimensions, got ", typeText(type));
  if (size.size() != rank ||
      llvm::any_of(size, [](int64_t n) { return n < 1; })) // adaptive_avg_pool2d-c2
    return emitOptionalError(loc, "'", name, "' expected ", inWords(rank), " positive output size",
                             rank == 1 ? "" : "s");
  for (size_t i = 0; i < rank; ++i) {
    if (dims[first + i] == DimExpr(0)) // adaptive_avg_pool2d-c3
      return emitOptionalError(loc, "'", name, "' expected an image with elements, got ",
                               typeText(type));
    dims[first + i] = DimExpr(size[i]);
  }
  results.push_back(tensorType(cast<RankedTensorType>(type).getElementType(), dims));
  return success();
}

static SmallVector<Requirement> requirementsOfAdaptive(Type image, int first, int rank) {
  SmallVector<Requirement> all;
  for (int i = 0; i < rank; ++i) // adaptive_avg_pool2d-c3
    all.push_back({dimsOf(image)[first + i], Relation::AtLeast, 1,
                   "the " + spatialName(rank, i) + " of the image"});
  return all;
}

/// Calls `finish(position, window)` with the elements of x in each window.
static void divide(const Tensor &x, Tensor &y, int first, int rank,
                   function_ref<void(int64_t, ArrayRef<int64_t>)> finish) {
  auto xs = x.strides();
  int64_t position = 0;
  forEachIndex(y.shape, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t, 5> at(index);
    SmallVector<int64_t, 3> begin, extent;
    for (int axis = first; axis < first + rank; ++axis) {
      int64_t n = x.shape[axis], parts = y.shape[axis];
      begin.push_back(index[axis] * n / parts);
      extent.push_back(((index[axis] + 1) * n + parts - 1) / parts - begin.back());
    }
    SmallVector<int64_t> window;
    forEachIndex(extent, [&](ArrayRef<int64_t> tap) {
      for (int i = 0; i < rank; ++i)
        at[first + i] = begin[i] + tap[i];
      window.push_back(linear(at, xs));
    });
    finish(position++, window);
  });
}

static LogicalResult evaluateAdaptiveMax(const Tensor &x, Tensor &y, int first, int rank) {
  divide(x, y, first, rank, [&](int64_t position, ArrayRef<int64_t> window) {
    int64_t best = -1;
    for (int64_t i : window)
      best = isLarger(x, i, best) ? i : best;
    copyElement(x, best, y, position);
  });
  return success();
}

static LogicalResult evaluateAdaptiveMean(const Tensor &x, Tensor &y, int first, int rank) {
  divide(x, y, first, rank, [&](int64_t position, ArrayRef<int64_t> window) {
    double sum = 0;
    for (int64_t i : window)
      sum += x.floats[i];
    y.floats[position] = sum / static_cast<double>(window.size());
  });
  return success();
}

#define KILN_ADAPTIVE_POOL(Op, name, kind, rank)                                                   \
  KILN_INFER(Op) {                                                                                 \
    Adaptor op(operands, attributes, properties, regions);                                         \
    return inferAdaptive(loc, name, operands[0].getType(), StringRef(#kind) == "Mean",             \
                         isChannelsLast(op) ? 1 : 2, op.getOutputSize(), rank, results);           \
  }                                                                                                \
  SmallVector<Requirement> Op::getRequirements() {                                                 \
    return requirementsOfAdaptive(getX().getType(), isChannelsLast(*this) ? 1 : 2, rank);          \
  }                                                                                                \
  KILN_EVALUATE(Op) {                                                                              \
    return evaluateAdaptive##kind(*operands[0], results[0], isChannelsLast(*this) ? 1 : 2, rank);  \
  }

KILN_ADAPTIVE_POOL(AdaptiveAvgPool1dOp, "adaptive_avg_pool1d", Mean, 1)
KILN_ADAPTIVE_POOL(AdaptiveAvgPool2dOp, "adaptive_avg_pool2d", Mean, 2)
KILN_ADAPTIVE_POOL(AdaptiveAvgPool3dOp, "adaptive_avg_pool3d", Mean, 3)
KILN_ADAPTIVE_POOL(AdaptiveMaxPool1dOp, "adaptive_max_pool1d", Max, 1)
KILN_ADAPTIVE_POOL(AdaptiveMaxPool2dOp, "adaptive_max_pool2d", Max, 2)
KILN_ADAPTIVE_POOL(AdaptiveMaxPool3dOp, "adaptive_max_pool3d", Max, 3)

//===----------------------------------------------------------------------===//
// Signals are images of height 1
//===----------------------------------------------------------------------===//

static Value withHeight1(const Build &b, Value x) {
  Dims dims = dimsOf(x.getType());
  return b.reshape(x, {dims[0], dims[1], 1, dims[2]});
}

static DenseI64ArrayAttr withOne(OpBuilder &builder, ArrayRef<int64_t> list) {
  return builder.getDenseI64ArrayAttr({1, list[0]});
}

static DimsAttr withoutBorder(const Build &b, DimsAttr padding) {
  Dims dims = padding.getDims();
  return b.dims({0, 0, dims[0], dims[1]});
}

SmallVector<Value> MaxPool1dOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Value y = b.make<MaxPool2dOp>(withHeight1(b, getX()), withOne(builder, getKernelSize()),
                                withOne(builder, getStride()), withoutBorder(b, getPadding()),
                                withOne(builder, getDilation()), getCeilModeAttr(), UnitAttr());
  return {b.reshape(y, dimsOf(getType()))};
}

SmallVector<Value> AvgPool1dOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Value y = b.make<AvgPool2dOp>(withHeight1(b, getX()), withOne(builder, getKernelSize()),
                                withOne(builder, getStride()), withoutBorder(b, getPadding()),
                                getCountIncludePadAttr(), getCeilModeAttr(), UnitAttr());
  return {b.reshape(y, dimsOf(getType()))};
}

template <typename Op2d, typename Op> static SmallVector<Value> divideImage(OpBuilder &o, Op op) {
  Build b{o, op.getLoc()};
  Value y = b.make<Op2d>(withHeight1(b, op.getX()), withOne(o, op.getOutputSize()), UnitAttr());
  return {b.reshape(y, dimsOf(op.getType()))};
}
SmallVector<Value> AdaptiveAvgPool1dOp::decompose(OpBuilder &builder) {
  return divideImage<AdaptiveAvgPool2dOp>(builder, *this);
}
SmallVector<Value> AdaptiveMaxPool1dOp::decompose(OpBuilder &builder) {
  return divideImage<AdaptiveMaxPool2dOp>(builder, *this);
}
