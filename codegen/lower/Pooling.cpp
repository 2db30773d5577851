//===- Pooling.cpp - stages of windows over images --------------------------===//

#include "codegen/lower/Builder.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::lower;
using namespace mlir;
using spec::apply;
using spec::ExprPtr;
using SpecOp = spec::Op;

namespace {
/// One spatial dimension of a pool.
struct Axis {
  int axis;
  int64_t kernel, stride, dilation;
  DimExpr extent, low, high, results;

  /// Whether some tap of some window lies beyond [0, extent + border).
  bool isClipped(const DimExpr &border, const DimExpr::BoundsMap &names) const {
    DimExpr last = (results - 1) * DimExpr(stride) - low + DimExpr((kernel - 1) * dilation);
    std::optional<int64_t> room = (extent + border - DimExpr(1) - last).bounds(names).lower;
    return !room || *room < 0;
  }
};

/// The two spatial dimensions, and a stage over them that wants a body.
struct Pool {
  Axis axes[2];
  At at; ///< of x
  spec::Stage stage;
  bool isPadded; ///< whether a tap may lie outside of x
};
} // namespace

template <typename PoolOp> static Pool describe(PoolOp op, ArrayRef<int64_t> dilation) {
  Pool pool;
  SmallVector<DimExpr> x = dimsOf(op.getX().getType()), y = dimsOf(op.getType());
  SmallVector<DimExpr> pad = op.getPadding().getDims();
  DimExpr::BoundsMap names = enclosingBounds(op);
  pool.at = identity(4);
  pool.stage.domain.assign(y.begin(), y.end());
  pool.isPadded = false;
  for (int i = 0; i < 2; ++i) {
    int axis = (op.getChannelsLast() ? 1 : 2) + i;
    pool.axes[i] = {axis,
                    op.getKernelSize()[i],
                    op.getStride()[i],
                    dilation[i],
                    x[axis],
                    pad[2 * i],
                    pad[2 * i + 1],
                    y[axis]};
    pool.at[axis] = affine({{axis, op.getStride()[i]}, {4 + i, dilation[i]}}, -pad[2 * i]);
    pool.stage.reduction.push_back(DimExpr(op.getKernelSize()[i]));
    pool.isPadded |= pad[2 * i] != DimExpr(0) || pool.axes[i].isClipped(0, names);
  }
  return pool;
}

static void lowerMax(SpecBuilder &builder, MaxPool2dOp op) {
  Pool pool = describe(op, op.getDilation());
  pool.stage.type = computeType(*dtypeOf(op.getType()));
  double start = lowest(pool.stage.type);
  pool.stage.combiner = spec::Combiner::Max;
  pool.stage.init = saturated(start, pool.stage.type);
  pool.stage.body =
      builder.load(op.getX(), pool.at, pool.isPadded ? std::optional(start) : std::nullopt);
  builder.appendAnchor(op, std::move(pool.stage));
}

/// How many taps of the window at result position `at` count: those of
/// [0, extent), or with `border` of [-low, extent + border). Average pools are not dilated.
static ExprPtr countTaps(const Axis &axis, const spec::Index &at, bool countPad) {
  ExprPtr begin = valueOf(scaled(at, axis.stride, -axis.low));
  ExprPtr end = apply(SpecOp::Add, {begin, spec::constant(axis.kernel, DType::I64)});
  DimExpr limit = countPad ? axis.extent + axis.high : axis.extent;
  end = apply(SpecOp::Min, {end, number(limit, DType::I64)});
  if (!countPad)
    begin = apply(SpecOp::Max, {begin, spec::constant(int64_t(0), DType::I64)});
  return apply(SpecOp::Sub, {end, begin});
}

static void lowerAverage(SpecBuilder &builder, AvgPool2dOp op) {
  constexpr int64_t ones[2] = {1, 1};
  Pool pool = describe(op, ones);
  DType type = computeType(*dtypeOf(op.getType()));
  pool.stage.type = type;
  pool.stage.combiner = spec::Combiner::Add;
  pool.stage.init = spec::constant(0.0, type);
  pool.stage.body =
      builder.load(op.getX(), pool.at, pool.isPadded ? std::optional(0.0) : std::nullopt);
  std::string sum = builder.append(std::move(pool.stage), /*isAnchor=*/true);
  bool countPad = op.getCountIncludePad();
  DimExpr::BoundsMap names = enclosingBounds(op);
  bool isClipped = false;
  for (const Axis &axis : pool.axes)
    isClipped |= axis.isClipped(countPad ? axis.high : DimExpr(0), names) ||
                 (!countPad && axis.low != DimExpr(0));
  std::vector<Axis> axes(pool.axes, pool.axes + 2);
  builder.derive(op.getResult(), [&builder, axes, sum, type, countPad, isClipped](const At &at) {
    ExprPtr count = spec::constant(axes[0].kernel * axes[1].kernel, type);
    if (isClipped)
      count = spec::cast(apply(SpecOp::Mul, {countTaps(axes[0], at[axes[0].axis], countPad),
                                             countTaps(axes[1], at[axes[1].axis], countPad)}),
                         type);
    return apply(SpecOp::Div, {builder.readStage(sum, at), count});
  });
}

/// Bounds of result position `at`: floor(at * n / parts) and ceil((at + 1) * n / parts).
static std::pair<ExprPtr, ExprPtr> part(const ExprPtr &at, const DimExpr &n, int64_t parts) {
  auto constant = [](int64_t value) { return spec::constant(value, DType::I64); };
  ExprPtr extent = number(n, DType::I64);
  ExprPtr begin = apply(SpecOp::FloorDiv, {apply(SpecOp::Mul, {at, extent}), constant(parts)});
  ExprPtr next = apply(SpecOp::Mul, {apply(SpecOp::Add, {at, constant(1)}), extent});
  ExprPtr end =
      apply(SpecOp::FloorDiv, {apply(SpecOp::Add, {next, constant(parts - 1)}), constant(parts)});
  return {begin, end};
}

/// Windows of different extents: the reduction runs over the largest and takes 0 beyond each end.
static void lowerAdaptive(SpecBuilder &builder, AdaptiveAvgPool2dOp op) {
  int first = op.getChannelsLast() ? 1 : 2;
  SmallVector<DimExpr> x = dimsOf(op.getX().getType()), y = dimsOf(op.getType());
  DType type = computeType(*dtypeOf(op.getType()));
  builder.store(op.getX());
  spec::Stage stage;
  stage.type = type;
  stage.domain.assign(y.begin(), y.end());
  stage.combiner = spec::Combiner::Add;
  stage.init = spec::constant(0.0, type);
  At at = identity(4);
  ExprPtr isInside;
  SmallVector<std::pair<DimExpr, int64_t>> parts;
  for (int i = 0; i < 2; ++i) {
    DimExpr n = x[first + i];
    int64_t count = op.getOutputSize()[i];
    parts.push_back({n, count});
    stage.reduction.push_back(DimExpr::floorDiv(n + DimExpr(count - 1), count) + DimExpr(1));
    auto [begin, end] = part(spec::dim(first + i), n, count);
    ExprPtr position = apply(SpecOp::Add, {begin, spec::dim(4 + i)});
    ExprPtr fits = apply(SpecOp::Lt, {position, end});
    isInside = isInside ? apply(SpecOp::And, {isInside, fits}) : fits;
    at[first + i] = spec::Index();
    at[first + i].indirect = position;
  }
  stage.body =
      apply(SpecOp::Select, {isInside, builder.load(op.getX(), at), spec::constant(0.0, type)});
  std::string sum = builder.append(std::move(stage), /*isAnchor=*/true);
  builder.derive(op.getResult(), [&builder, parts, sum, type, first](const At &at) {
    ExprPtr count;
    for (int i = 0; i < 2; ++i) {
      auto [begin, end] = part(valueOf(at[first + i]), parts[i].first, parts[i].second);
      ExprPtr extent = apply(SpecOp::Sub, {end, begin});
      count = count ? apply(SpecOp::Mul, {count, extent}) : extent;
    }
    return apply(SpecOp::Div, {builder.readStage(sum, at), spec::cast(count, type)});
  });
}

bool lower::lowerPooling(SpecBuilder &builder, Operation *op) {
  if (auto pool = dyn_cast<MaxPool2dOp>(op))
    return lowerMax(builder, pool), true;
  if (auto pool = dyn_cast<AvgPool2dOp>(op))
    return lowerAverage(builder, pool), true;
  if (auto pool = dyn_cast<AdaptiveAvgPool2dOp>(op))
    return lowerAdaptive(builder, pool), true;
  return false;
}
