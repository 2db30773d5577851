//===- Pooling.cpp - windows over images ----------------------------------===//

#include "ir/ops/Common.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

namespace {
/// A window's attributes, of both pools.
struct Window {
  ArrayRef<int64_t> kernel, stride, dilation;
  SmallVector<DimExpr> padding;
  bool ceilMode, channelsLast;
};
} // namespace

static constexpr int64_t ones[2] = {1, 1};

static LogicalResult inferPool(MaybeLoc loc, StringRef name, Type type, const Window &window,
                               SmallVectorImpl<Type> &results) {
  SmallVector<DimExpr> dims = dimsOf(type);
  if (dims.size() != 4) // pool2d-c1
    return emitOptionalError(loc, "'", name, "' expected an image of four dimensions, got ",
                             typeText(type));
  if (window.kernel.size() != 2 || window.stride.size() != 2 || window.dilation.size() != 2 ||
      window.padding.size() != 4)
    return emitOptionalError(loc, "'", name,
                             "' expected two window extents, strides, dilations and four paddings");
  for (int i = 0; i < 2; ++i) {
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
    DimExpr &extent = dims[window.channelsLast ? 1 + i : 2 + i];
    DimExpr room = extent + low + high - DimExpr((k - 1) * d + 1);
    if (std::optional<int64_t> v = room.constantValue(); v && *v < 0) // pool2d-c3
      return emitOptionalError(loc, "'", name,
                               "' expected a window within the padded image, got window ", k,
                               " on ", typeText(type));
    DimExpr steps = DimExpr::floorDiv(room + DimExpr(window.ceilMode ? s - 1 : 0), DimExpr(s));
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

/// Calls `visit(input, inside)` for each tap of the window of an output position; `finish` then
/// gives the element.
template <typename Start, typename Visit, typename Finish>
static void slide(const Tensor &x, Tensor &y, const Window &window, ArrayRef<int64_t> pad,
                  Start start, Visit visit, Finish finish) {
  int h = window.channelsLast ? 1 : 2, w = h + 1;
  auto xs = x.strides();
  int64_t position = 0;
  forEachIndex(y.shape, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t, 4> at(index);
    start();
    for (int64_t p = 0; p < window.kernel[0]; ++p)
      for (int64_t q = 0; q < window.kernel[1]; ++q) {
        at[h] = index[h] * window.stride[0] + p * window.dilation[0] - pad[0];
        at[w] = index[w] * window.stride[1] + q * window.dilation[1] - pad[2];
        bool inside = at[h] >= 0 && at[h] < x.shape[h] && at[w] >= 0 && at[w] < x.shape[w];
        // Taps beyond even the padded image (ceil_mode) do not count in any way.
        bool padded = at[h] < x.shape[h] + pad[1] && at[w] < x.shape[w] + pad[3];
        visit(inside ? linear(at, xs) : 0, inside, padded);
      }
    finish(position++);
  });
}

/// What a call must satisfy for pool2d-c2 and pool2d-c3.
static SmallVector<Requirement> requirementsOfPool(Type type, const Window &window) {
  SmallVector<Requirement> all;
  SmallVector<DimExpr> dims = dimsOf(type);
  for (int i = 0; i < 2; ++i) {
    DimExpr low = window.padding[2 * i], high = window.padding[2 * i + 1];
    int64_t reach = (window.kernel[i] - 1) * window.dilation[i] + 1;
    for (const DimExpr &border : {low, high}) {
      all.push_back({border, Relation::AtLeast, 0, "a padding"});
      all.push_back({border, Relation::AtMost, reach / 2, "a padding"});
    }
    all.push_back({dims[window.channelsLast ? 1 + i : 2 + i] + low + high, Relation::AtLeast, reach,
                   i ? "the width of the padded image" : "the height of the padded image"});
  }
  return all;
}

SmallVector<Requirement> MaxPool2dOp::getRequirements() {
  return requirementsOfPool(getX().getType(),
                            {getKernelSize(), getStride(), getDilation(), getPadding().getDims(),
                             getCeilMode(), getChannelsLast()});
}

SmallVector<Requirement> AvgPool2dOp::getRequirements() {
  return requirementsOfPool(getX().getType(),
                            {getKernelSize(), getStride(), ones, getPadding().getDims(),
                             getCeilMode(), getChannelsLast()});
}

KILN_INFER(MaxPool2dOp) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(requireDomain(loc, "max_pool2d", operands[0].getType(), Domain::Number)))
    return failure();
  Window window{op.getKernelSize(),        op.getStride(),   op.getDilation(),
                op.getPadding().getDims(), op.getCeilMode(), op.getChannelsLast()};
  return inferPool(loc, "max_pool2d", operands[0].getType(), window, results);
}

KILN_EVALUATE(MaxPool2dOp) {
  const Tensor &x = *operands[0];
  Tensor &y = results[0];
  Window window{getKernelSize(),        getStride(),   getDilation(),
                getPadding().getDims(), getCeilMode(), getChannelsLast()};
  int64_t best = -1;
  auto better = [&](int64_t i) {
    if (best < 0)
      return true;
    if (!x.isFloat())
      return x.ints[i] > x.ints[best];
    return !std::isnan(x.floats[best]) && (std::isnan(x.floats[i]) || x.floats[i] > x.floats[best]);
  };
  slide(
      x, y, window, evaluation.values(window.padding), [&] { best = -1; },
      [&](int64_t i, bool inside, bool) {
        if (inside && better(i))
          best = i;
      },
      [&](int64_t position) { copyElement(x, best, y, position); });
  return success();
}

KILN_INFER(AvgPool2dOp) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(requireDomain(loc, "avg_pool2d", operands[0].getType(), Domain::Float)))
    return failure();
  Window window{op.getKernelSize(),        op.getStride(),   ones,
                op.getPadding().getDims(), op.getCeilMode(), op.getChannelsLast()};
  return inferPool(loc, "avg_pool2d", operands[0].getType(), window, results);
}

KILN_EVALUATE(AvgPool2dOp) {
  const Tensor &x = *operands[0];
  Window window{getKernelSize(),        getStride(),   ones,
                getPadding().getDims(), getCeilMode(), getChannelsLast()};
  double sum = 0;
  int64_t count = 0;
  bool countPad = getCountIncludePad();
  slide(
      x, results[0], window, evaluation.values(window.padding),
      [&] {
        sum = 0;
        count = 0;
      },
      [&](int64_t i, bool inside, bool padded) {
        sum += inside ? x.floats[i] : 0;
        count += inside || (padded && countPad);
      },
      [&](int64_t position) { results[0].floats[position] = sum / count; });
  return success();
}

KILN_INFER(AdaptiveAvgPool2dOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type);
  if (dims.size() != 4 || !isFloat(*dtypeOf(type))) // adaptive_avg_pool2d-c1
    return emitOptionalError(
        loc, "'adaptive_avg_pool2d' expected a float image of four dimensions, got ",
        typeText(type));
  ArrayRef<int64_t> size = op.getOutputSize();
  if (size.size() != 2 || size[0] < 1 || size[1] < 1) // adaptive_avg_pool2d-c2
    return emitOptionalError(loc, "'adaptive_avg_pool2d' expected two positive output sizes");
  int h = op.getChannelsLast() ? 1 : 2;
  dims[h] = DimExpr(size[0]);
  dims[h + 1] = DimExpr(size[1]);
  results.push_back(tensorType(cast<RankedTensorType>(type).getElementType(), dims));
  return success();
}

KILN_EVALUATE(AdaptiveAvgPool2dOp) {
  const Tensor &x = *operands[0];
  Tensor &y = results[0];
  int h = getChannelsLast() ? 1 : 2, w = h + 1;
  auto xs = x.strides();
  auto begin = [&](int axis, int64_t i) { return i * x.shape[axis] / y.shape[axis]; };
  auto end = [&](int axis, int64_t i) {
    return ((i + 1) * x.shape[axis] + y.shape[axis] - 1) / y.shape[axis];
  };
  int64_t position = 0;
  forEachIndex(y.shape, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t, 4> at(index);
    double sum = 0;
    int64_t count = 0;
    for (at[h] = begin(h, index[h]); at[h] < end(h, index[h]); ++at[h])
      for (at[w] = begin(w, index[w]); at[w] < end(w, index[w]); ++at[w], ++count)
        sum += x.floats[linear(at, xs)];
    y.floats[position++] = sum / count;
  });
  return success();
}
