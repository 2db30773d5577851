//===- Norm.cpp - norms by statistics of the call -------------------------===//
//
// Each has its meaning twice: `evaluate` from the definition, for the interpreter, and `decompose`
// into means and elementwise ops, for everything else.
//
//===----------------------------------------------------------------------===//

#include "ir/Build.h"
#include "ir/ops/Common.h"

#include <cmath>
#include <numeric>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

using Dims = SmallVector<DimExpr>;
using Axes = SmallVector<int64_t>;

static Axes sorted(ArrayRef<int64_t> axes) {
  Axes list(axes);
  llvm::sort(list);
  return list;
}

static Dims extentsAt(ArrayRef<DimExpr> dims, ArrayRef<int64_t> axes) {
  return Dims(llvm::map_range(axes, [&](int64_t axis) { return dims[axis]; }));
}

/// Axes from `first` on.
static Axes axesFrom(int64_t first, int64_t rank) {
  Axes axes(std::max<int64_t>(rank - first, 0));
  std::iota(axes.begin(), axes.end(), first);
  return axes;
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

/// weight and bias, which stand behind x, have these extents.
static LogicalResult checkScales(MaybeLoc loc, StringRef name, ValueRange operands,
                                 ArrayRef<DimExpr> extents) {
  Type type = operands[0].getType();
  Type wanted = tensorType(cast<RankedTensorType>(type).getElementType(), extents);
  for (Value v : operands.drop_front())
    if (v.getType() != wanted) // norm-c3, group_norm-c3, instance_norm-c2
      return emitOptionalError(loc, "'", name, "' expected a weight and a bias ", typeText(wanted),
                               " for ", typeText(type), ", got ", typeText(v.getType()));
  return success();
}

static LogicalResult inferAlongAxes(MaybeLoc loc, StringRef name, ValueRange operands,
                                    ArrayRef<int64_t> axis, SmallVectorImpl<Type> &results) {
  Type type = operands[0].getType();
  if (failed(requireDomain(loc, name, type, Domain::Float))) // norm-c1
    return failure();
  Dims dims = dimsOf(type);
  Axes axes = sorted(axis);
  bool ok = !axes.empty() && axes.front() >= 0 && axes.back() < int64_t(dims.size()) &&
            std::adjacent_find(axes.begin(), axes.end()) == axes.end();
  if (!ok) // norm-c2
    return emitOptionalError(loc, "'", name,
                             "' expected at least one axis, all different, from 0 to ",
                             int64_t(dims.size()) - 1, " for ", typeText(type));
  results.push_back(type);
  return checkScales(loc, name, operands, extentsAt(dims, axes));
}

static void alignAlongAxes(MutableArrayRef<Dims> shapes, DictionaryAttr attributes,
                           AlignExtent require) {
  auto attribute = attributes.getAs<DenseI64ArrayAttr>("axis");
  Axes axes = sorted(attribute ? attribute.asArrayRef() : ArrayRef<int64_t>());
  int64_t rank = shapes[0].size();
  if (llvm::any_of(axes, [&](int64_t axis) { return axis < 0 || axis >= rank; }))
    return;
  for (Dims &shape : shapes.drop_front())
    for (size_t i = 0; shape.size() == axes.size() && i < axes.size(); ++i)
      if (!align(shapes[0][axes[i]], shape[i], "the extent of axis " + std::to_string(axes[i]),
                 require))
        return;
}

/// Of group norm and instance norm.
static void alignChannels(MutableArrayRef<Dims> shapes, AlignExtent require) {
  for (Dims &shape : shapes.drop_front())
    if (shape.size() == 1 && shapes[0].size() >= 2 &&
        !align(shapes[0][1], shape[0], "the number of channels", require))
      return;
}

KILN_INFER(LayerNormOp) {
  Adaptor op(operands, attributes, properties, regions);
  return inferAlongAxes(loc, "layer_norm", operands, op.getAxis(), results);
}
void LayerNormOp::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr attributes,
                              AlignExtent require) {
  alignAlongAxes(shapes, attributes, require);
}

KILN_INFER(RmsNormOp) {
  Adaptor op(operands, attributes, properties, regions);
  return inferAlongAxes(loc, "rms_norm", operands, op.getAxis(), results);
}
void RmsNormOp::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr attributes,
                            AlignExtent require) {
  alignAlongAxes(shapes, attributes, require);
}

KILN_INFER(GroupNormOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  Dims dims = dimsOf(type);
  int64_t groups = op.getNumGroups();
  if (failed(requireDomain(loc, "group_norm", type, Domain::Float)))
    return failure();
  if (dims.size() < 2) // group_norm-c1
    return emitOptionalError(loc, "'group_norm' expected channels in the second dimension, got ",
                             typeText(type));
  if (groups < 1 ||
      DimExpr::floorDiv(dims[1], groups) * DimExpr(groups) != dims[1]) // group_norm-c2
    return emitOptionalError(loc, "'group_norm' expected a number of groups that divides ",
                             dims[1].str(), " channels, got ", groups);
  results.push_back(type);
  return checkScales(loc, "group_norm", operands, dims[1]);
}
void GroupNormOp::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr attributes,
                              AlignExtent require) {
  alignChannels(shapes, require);
  auto groups = attributes.getAs<IntegerAttr>("num_groups");
  if (!groups || groups.getInt() < 1 || shapes[0].size() < 2 || shapes[0][1].isConstant())
    return;
  DimExpr whole = DimExpr::floorDiv(shapes[0][1], groups.getInt()) * DimExpr(groups.getInt());
  for (Dims &shape : shapes)
    if (!align(shape[shape.size() > 1], whole, "the number of channels", require))
      return;
}

KILN_INFER(InstanceNormOp) {
  Type type = operands[0].getType();
  Dims dims = dimsOf(type);
  if (failed(requireDomain(loc, "instance_norm", type, Domain::Float)))
    return failure();
  if (dims.size() < 3) // instance_norm-c1
    return emitOptionalError(loc,
                             "'instance_norm' expected an image of at least three dimensions, got ",
                             typeText(type));
  results.push_back(type);
  return checkScales(loc, "instance_norm", operands, dims[1]);
}
void InstanceNormOp::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr,
                                 AlignExtent require) {
  alignChannels(shapes, require);
}

//===----------------------------------------------------------------------===//
// Meaning
//===----------------------------------------------------------------------===//

namespace {
/// Where an element belongs: the statistics of `group`, and `channel` of weight and bias.
struct Place {
  int64_t group, channel;
};
} // namespace

static LogicalResult evaluateNorm(const Tensor &x, const Tensor *weight, const Tensor *bias,
                                  double eps, bool isCentred, Tensor &y,
                                  function_ref<Place(ArrayRef<int64_t>)> placeOf) {
  std::vector<Place> places;
  size_t groups = 0;
  forEachIndex(x.shape, [&](ArrayRef<int64_t> index) {
    places.push_back(placeOf(index));
    groups = std::max<size_t>(groups, places.back().group + 1);
  });
  std::vector<double> count(groups, 0), mean(groups, 0), square(groups, 0);
  for (auto [i, place] : llvm::enumerate(places)) {
    count[place.group] += 1;
    mean[place.group] += x.floats[i];
  }
  for (size_t g = 0; g < groups; ++g)
    mean[g] = isCentred ? mean[g] / count[g] : 0;
  for (auto [i, place] : llvm::enumerate(places))
    square[place.group] += std::pow(x.floats[i] - mean[place.group], 2);
  for (auto [i, place] : llvm::enumerate(places)) {
    auto [g, c] = place;
    double norm = (x.floats[i] - mean[g]) / std::sqrt(square[g] / count[g] + eps);
    y.floats[i] = norm * (weight ? weight->floats[c] : 1) + (bias ? bias->floats[c] : 0);
  }
  return success();
}

/// Groups are the positions of the other dimensions, channels those of the axes.
static LogicalResult evaluateAlongAxes(const Tensor &x, const Tensor *weight, const Tensor *bias,
                                       ArrayRef<int64_t> axis, double eps, bool isCentred,
                                       Tensor &y) {
  return evaluateNorm(x, weight, bias, eps, isCentred, y, [&](ArrayRef<int64_t> index) {
    Place place{0, 0};
    for (auto [i, position] : llvm::enumerate(index)) {
      int64_t &part = llvm::is_contained(axis, int64_t(i)) ? place.channel : place.group;
      part = part * x.shape[i] + position;
    }
    return place;
  });
}

static LogicalResult evaluateByChannels(const Tensor &x, const Tensor *weight, const Tensor *bias,
                                        int64_t groups, double eps, Tensor &y) {
  return evaluateNorm(x, weight, bias, eps, true, y, [&](ArrayRef<int64_t> index) {
    return Place{index[0] * groups + index[1] / (x.shape[1] / groups), index[1]};
  });
}

/// The operand behind x that stands for weight, and then for bias, if the op has them.
template <typename Op> static const Tensor *weightOf(Op op, ArrayRef<const Tensor *> operands) {
  return op.getWeight() ? operands[1] : nullptr;
}
template <typename Op> static const Tensor *biasOf(Op op, ArrayRef<const Tensor *> operands) {
  return op.getBias() ? operands.back() : nullptr;
}

KILN_EVALUATE(LayerNormOp) {
  return evaluateAlongAxes(*operands[0], weightOf(*this, operands), biasOf(*this, operands),
                           getAxis(), getEps().convertToDouble(), true, results[0]);
}
KILN_EVALUATE(RmsNormOp) {
  return evaluateAlongAxes(*operands[0], weightOf(*this, operands), nullptr, getAxis(),
                           getEps().convertToDouble(), false, results[0]);
}
KILN_EVALUATE(GroupNormOp) {
  return evaluateByChannels(*operands[0], weightOf(*this, operands), biasOf(*this, operands),
                            getNumGroups(), getEps().convertToDouble(), results[0]);
}
KILN_EVALUATE(InstanceNormOp) {
  return evaluateByChannels(*operands[0], weightOf(*this, operands), biasOf(*this, operands),
                            operands[0]->shape[1], getEps().convertToDouble(), results[0]);
}

//===----------------------------------------------------------------------===//
// Definitions in other ops
//===----------------------------------------------------------------------===//

/// x less its mean. In exact arithmetic the mean of that is 0; in floats it is the error of the
/// first mean, as large as the deviation where x lies far from 0, so it is subtracted as well.
static Value centre(const Build &b, Value x, function_ref<Value(Value)> average) {
  Dims dims = dimsOf(x.getType());
  Value difference = b.make<SubOp>(x, b.broadcast(average(x), dims));
  return b.make<SubOp>(difference, b.broadcast(average(difference), dims));
}

/// x / sqrt(average(x^2) + eps), then weight and bias, each an operand or null, at the axes.
static Value scale(const Build &b, Value x, Value weight, Value bias, ArrayRef<int64_t> axes,
                   double eps, function_ref<Value(Value)> average) {
  Dims dims = dimsOf(x.getType()), column(dims.size(), 1);
  for (int64_t axis : axes)
    column[axis] = dims[axis];
  auto spread = [&](Value v) {
    return b.broadcast(b.reshape(b.cast(v, b.elementOf(x)), column), dims);
  };
  Value square = average(b.make<MulOp>(x, x));
  Value shifted = b.make<AddOp>(square, b.full(eps, dimsOf(square.getType()), b.elementOf(x)));
  Value y = b.make<MulOp>(x, b.broadcast(b.make<RsqrtOp>(shifted), dims));
  if (weight)
    y = b.make<MulOp>(y, spread(weight));
  return bias ? b.make<AddOp>(y, spread(bias)) : y;
}

/// The mean along axes, which are kept as 1.
static Value meanAlong(const Build &b, Value x, ArrayRef<int64_t> axes) {
  return axes.empty()
             ? x
             : b.make<MeanOp>(x, b.builder.getDenseI64ArrayAttr(axes), b.builder.getBoolAttr(true));
}

SmallVector<Value> LayerNormOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Axes axes = sorted(getAxis());
  auto average = [&](Value v) { return meanAlong(b, v, axes); };
  Value centred = centre(b, b.cast(getX(), b.wideOf(getX())), average);
  Value y = scale(b, centred, getWeight(), getBias(), axes, getEps().convertToDouble(), average);
  return {b.cast(y, b.elementOf(getX()))};
}

SmallVector<Value> RmsNormOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Axes axes = sorted(getAxis());
  Value x = b.cast(getX(), b.wideOf(getX()));
  Value y = scale(b, x, getWeight(), nullptr, axes, getEps().convertToDouble(),
                  [&](Value v) { return meanAlong(b, v, axes); });
  return {b.cast(y, b.elementOf(getX()))};
}

/// Means of channels, and of those the means of groups: images keep their shape, and with it their
/// layout; what is cut into groups is small.
SmallVector<Value> GroupNormOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Dims dims = dimsOf(getX().getType());
  Axes spatial = axesFrom(2, dims.size());
  DimExpr perGroup = DimExpr::floorDiv(dims[1], getNumGroups());
  Dims grouped{dims[0], DimExpr(getNumGroups()), perGroup};
  auto average = [&](Value v) {
    Value channels = meanAlong(b, v, spatial);
    Value groups = meanAlong(b, b.reshape(channels, grouped), 2);
    return b.reshape(b.broadcast(groups, grouped), dimsOf(channels.getType()));
  };
  Value centred = centre(b, b.cast(getX(), b.wideOf(getX())), average);
  Value y = scale(b, centred, getWeight(), getBias(), 1, getEps().convertToDouble(), average);
  return {b.cast(y, b.elementOf(getX()))};
}

SmallVector<Value> InstanceNormOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Axes spatial = axesFrom(2, dimsOf(getX().getType()).size());
  auto average = [&](Value v) { return meanAlong(b, v, spatial); };
  Value centred = centre(b, b.cast(getX(), b.wideOf(getX())), average);
  Value y = scale(b, centred, getWeight(), getBias(), 1, getEps().convertToDouble(), average);
  return {b.cast(y, b.elementOf(getX()))};
}
