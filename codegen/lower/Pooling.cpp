//===- Pooling.cpp - stages of windows over images --------------------------===//

#include "codegen/lower/Builder.h"

#include "llvm/ADT/TypeSwitch.h"

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

/// The spatial dimensions, and a stage over them that wants a body.
struct Pool {
  SmallVector<Axis, 3> axes;
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
  int rank = static_cast<int>(x.size());
  pool.at = identity(rank);
  pool.stage.domain.assign(y.begin(), y.end());
  pool.isPadded = false;
  for (int i = 0; i < rank - 2; ++i) {
    int axis = (op.getChannelsLast() ? 1 : 2) + i;
    pool.axes.push_back({axis, op.getKernelSize()[i], op.getStride()[i], dilation[i], x[axis],
                         pad[2 * i], pad[2 * i + 1], y[axis]});
    pool.at[axis] = affine({{axis, op.getStride()[i]}, {rank + i, dilation[i]}}, -pad[2 * i]);
    pool.stage.reduction.push_back(DimExpr(op.getKernelSize()[i]));
    pool.isPadded |= pad[2 * i] != DimExpr(0) || pool.axes[i].isClipped(0, names);
  }
  return pool;
}

template <typename PoolOp> static void lowerMax(SpecBuilder &builder, PoolOp op) {
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

template <typename PoolOp> static void lowerAverage(SpecBuilder &builder, PoolOp op) {
  constexpr int64_t ones[3] = {1, 1, 1};
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
  std::vector<Axis> axes(pool.axes.begin(), pool.axes.end());
  builder.derive(op.getResult(), [&builder, axes, sum, type, countPad, isClipped](const At &at) {
    int64_t taps = 1;
    ExprPtr counted;
    for (const Axis &axis : axes) {
      taps *= axis.kernel;
      ExprPtr here = countTaps(axis, at[axis.axis], countPad);
      counted = counted ? apply(SpecOp::Mul, {counted, here}) : here;
    }
    ExprPtr count = isClipped ? spec::cast(counted, type) : spec::constant(taps, type);
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

/// Windows of different extents: the reduction runs over the largest and takes what changes nothing
/// beyond each end.
template <typename PoolOp>
static void lowerAdaptive(SpecBuilder &builder, PoolOp op, spec::Combiner combiner) {
  bool isMean = combiner == spec::Combiner::Add;
  int first = op.getChannelsLast() ? 1 : 2;
  SmallVector<DimExpr> x = dimsOf(op.getX().getType()), y = dimsOf(op.getType());
  int rank = static_cast<int>(x.size());
  DType type = computeType(*dtypeOf(op.getType()));
  builder.store(op.getX());
  spec::Stage stage;
  stage.type = type;
  stage.domain.assign(y.begin(), y.end());
  stage.combiner = combiner;
  stage.init = isMean ? spec::constant(0.0, type) : saturated(lowest(type), type);
  At at = identity(rank);
  ExprPtr isInside;
  SmallVector<std::pair<DimExpr, int64_t>> parts;
  for (int i = 0; i < rank - 2; ++i) {
    DimExpr n = x[first + i];
    int64_t count = op.getOutputSize()[i];
    parts.push_back({n, count});
    stage.reduction.push_back(DimExpr::floorDiv(n + DimExpr(count - 1), count) + DimExpr(1));
    auto [begin, end] = part(spec::dim(first + i), n, count);
    ExprPtr position = apply(SpecOp::Add, {begin, spec::dim(rank + i)});
    ExprPtr fits = apply(SpecOp::Lt, {position, end});
    isInside = isInside ? apply(SpecOp::And, {isInside, fits}) : fits;
    at[first + i] = spec::Index();
    at[first + i].indirect = position;
  }
  stage.body = apply(SpecOp::Select, {isInside, builder.load(op.getX(), at), stage.init});
  if (!isMean)
    return builder.appendAnchor(op, std::move(stage));
  std::string sum = builder.append(std::move(stage), /*isAnchor=*/true);
  builder.derive(op.getResult(), [&builder, parts, sum, type, first](const At &at) {
    ExprPtr count;
    for (auto [i, divided] : llvm::enumerate(parts)) {
      auto [begin, end] = part(valueOf(at[first + i]), divided.first, divided.second);
      ExprPtr extent = apply(SpecOp::Sub, {end, begin});
      count = count ? apply(SpecOp::Mul, {count, extent}) : extent;
    }
    return apply(SpecOp::Div, {builder.readStage(sum, at), spec::cast(count, type)});
  });
}

bool lower::lowerPooling(SpecBuilder &builder, Operation *op) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<MaxPool2dOp, MaxPool3dOp>([&](auto pool) { return lowerMax(builder, pool), true; })
      .Case<AvgPool2dOp, AvgPool3dOp>([&](auto pool) { return lowerAverage(builder, pool), true; })
      .Case<AdaptiveAvgPool2dOp, AdaptiveAvgPool3dOp>(
          [&](auto pool) { return lowerAdaptive(builder, pool, spec::Combiner::Add), true; })
      .Case<AdaptiveMaxPool2dOp, AdaptiveMaxPool3dOp>(
          [&](auto pool) { return lowerAdaptive(builder, pool, spec::Combiner::Max), true; })
      .Case([&](InterpolateOp op) { return lowerInterpolation(builder, op), true; })
      .Default(false);
}
