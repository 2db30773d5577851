//===- Shape.cpp - data movement ------------------------------------------===//

#include "ir/ops/Common.h"

#include "mlir/IR/PatternMatch.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/ScopedPrinter.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

static Type elementOf(Type type) { return cast<RankedTensorType>(type).getElementType(); }

//===----------------------------------------------------------------------===//
// reshape
//===----------------------------------------------------------------------===//

KILN_INFER(ReshapeOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = op.getShape().getDims();
  for (const DimExpr &dim : dims)
    if (std::optional<int64_t> v = dim.constantValue(); v && *v < 0) // reshape-c2
      return emitOptionalError(loc, "'reshape' expected extents of at least 0, got ", *v);
  DimExpr from = numElements(dimsOf(type)), to = numElements(dims);
  DimBounds more = (from - to).bounds({});
  if ((more.lower && *more.lower > 0) || (more.upper && *more.upper < 0)) // reshape-c1
    return emitOptionalError(loc, "'reshape' expected ", from.str(), " elements as in ",
                             typeText(type), ", got ", to.str());
  results.push_back(tensorType(elementOf(type), dims));
  return success();
}

SmallVector<Requirement> ReshapeOp::getRequirements() {
  return {{numElements(getShape().getDims()), Relation::Equal,
           numElements(dimsOf(getX().getType())), "the number of elements"}};
}

KILN_EVALUATE(ReshapeOp) {
  results[0].floats = operands[0]->floats;
  results[0].ints = operands[0]->ints;
  return success();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  if (getX().getType() == getType())
    return getX();
  if (auto inner = getX().getDefiningOp<ReshapeOp>()) {
    if (inner.getX().getType() == getType())
      return inner.getX();
    setOperand(inner.getX());
    return getResult();
  }
  return {};
}

//===----------------------------------------------------------------------===//
// permute
//===----------------------------------------------------------------------===//

KILN_INFER(PermuteOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type), permuted;
  SmallVector<bool> seen(dims.size(), false);
  bool ok = op.getAxes().size() == dims.size();
  for (int64_t axis : op.getAxes()) {
    ok = ok && axis >= 0 && axis < static_cast<int64_t>(dims.size()) && !seen[axis];
    if (!ok)
      break;
    seen[axis] = true;
    permuted.push_back(dims[axis]);
  }
  if (!ok) // permute-c1
    return emitOptionalError(loc, "'permute' expected each axis from 0 to ",
                             int64_t(dims.size()) - 1, " once for ", typeText(type));
  results.push_back(tensorType(elementOf(type), permuted));
  return success();
}

KILN_EVALUATE(PermuteOp) {
  auto strides = operands[0]->strides();
  SmallVector<int64_t, 6> permuted;
  for (int64_t axis : getAxes())
    permuted.push_back(strides[axis]);
  gatherElements(*operands[0], results[0],
                 [&](ArrayRef<int64_t> i) { return linear(i, permuted); });
  return success();
}

OpFoldResult PermuteOp::fold(FoldAdaptor) {
  ArrayRef<int64_t> axes = getAxes();
  bool identity = true;
  for (auto [i, axis] : llvm::enumerate(axes))
    identity &= static_cast<int64_t>(i) == axis;
  if (identity)
    return getX();
  if (auto inner = getX().getDefiningOp<PermuteOp>()) {
    SmallVector<int64_t> joined;
    for (int64_t axis : axes)
      joined.push_back(inner.getAxes()[axis]);
    setAxes(joined);
    setOperand(inner.getX());
    return getResult();
  }
  return {};
}

namespace {
/// A permutation that keeps the order of all extents but 1 moves no data.
struct PermuteToReshape : OpRewritePattern<PermuteOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(PermuteOp op, PatternRewriter &rewriter) const override {
    SmallVector<DimExpr> dims = dimsOf(op.getX().getType());
    int64_t last = -1;
    for (int64_t axis : op.getAxes()) {
      if (dims[axis] == DimExpr(1))
        continue;
      if (axis < last)
        return failure();
      last = axis;
    }
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getX(),
                                           DimsAttr::get(getContext(), dimsOf(op.getType())));
    return success();
  }
};
} // namespace

void PermuteOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<PermuteToReshape>(context);
}

//===----------------------------------------------------------------------===//
// broadcast_to
//===----------------------------------------------------------------------===//

static LogicalResult inferBroadcast(MaybeLoc loc, StringRef name, Type type, ArrayRef<DimExpr> dims,
                                    SmallVectorImpl<Type> &results) {
  SmallVector<DimExpr> from = dimsOf(type);
  Type to = tensorType(elementOf(type), dims);
  bool ok = from.size() <= dims.size();
  for (size_t i = 0; ok && i < from.size(); ++i)
    ok = from[i] == DimExpr(1) || from[i] == dims[dims.size() - from.size() + i];
  if (!ok) // broadcast_to-c1, expand-c1
    return emitOptionalError(loc, "'", name, "' cannot broadcast ", typeText(type), " to ",
                             typeText(to));
  results.push_back(to);
  return success();
}

/// Strides of a tensor read under a broader shape: 0 where it repeats.
static SmallVector<int64_t, 6> broadcastStrides(const Tensor &x, size_t rank) {
  SmallVector<int64_t, 6> result(rank, 0);
  auto strides = x.strides();
  for (size_t i = 0; i < strides.size(); ++i)
    result[rank - strides.size() + i] = x.shape[i] == 1 ? 0 : strides[i];
  return result;
}

/// Extents that are not repeated become those of the wanted shape, which stands in `shape`.
static void alignToShape(MutableArrayRef<SmallVector<DimExpr>> shapes, DictionaryAttr attributes,
                         AlignExtent require) {
  auto target = attributes.getAs<DimsAttr>("shape");
  if (!target || target.size() < shapes[0].size())
    return;
  SmallVector<DimExpr> dims = target.getDims();
  for (auto [mine, wanted] : llvm::zip(shapes[0], ArrayRef(dims).take_back(shapes[0].size())))
    if (mine != DimExpr(1) && !align(mine, wanted, "an extent", require))
      return;
}

void BroadcastToOp::alignShapes(MutableArrayRef<SmallVector<DimExpr>> shapes,
                                DictionaryAttr attributes, AlignExtent require) {
  alignToShape(shapes, attributes, require);
}

void ExpandOp::alignShapes(MutableArrayRef<SmallVector<DimExpr>> shapes, DictionaryAttr attributes,
                           AlignExtent require) {
  alignToShape(shapes, attributes, require);
}

KILN_INFER(BroadcastToOp) {
  Adaptor op(operands, attributes, properties, regions);
  return inferBroadcast(loc, "broadcast_to", operands[0].getType(), op.getShape().getDims(),
                        results);
}

KILN_EVALUATE(BroadcastToOp) {
  auto strides = broadcastStrides(*operands[0], results[0].shape.size());
  gatherElements(*operands[0], results[0], [&](ArrayRef<int64_t> i) { return linear(i, strides); });
  return success();
}

OpFoldResult BroadcastToOp::fold(FoldAdaptor) {
  return getX().getType() == getType() ? getX() : Value();
}

KILN_INFER(ExpandOp) {
  Adaptor op(operands, attributes, properties, regions);
  return inferBroadcast(loc, "expand", operands[0].getType(), op.getShape().getDims(), results);
}

KILN_EVALUATE(ExpandOp) {
  auto strides = broadcastStrides(*operands[0], results[0].shape.size());
  gatherElements(*operands[0], results[0], [&](ArrayRef<int64_t> i) { return linear(i, strides); });
  return success();
}

//===----------------------------------------------------------------------===//
// concat
//===----------------------------------------------------------------------===//

KILN_INFER(ConcatOp) {
  Adaptor op(operands, attributes, properties, regions);
  if (operands.empty()) // concat-c1
    return emitOptionalError(loc, "'concat' expected at least one tensor");
  Type first = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(first);
  int64_t axis = op.getAxis();
  if (axis < 0 || axis >= static_cast<int64_t>(dims.size()))
    return emitOptionalError(loc, "'concat' expected an axis of ", typeText(first), ", got ", axis);
  DimExpr sum = dims[axis];
  for (Value v : operands.drop_front()) {
    SmallVector<DimExpr> d = dimsOf(v.getType());
    if (elementOf(v.getType()) != elementOf(first)) // concat-c2
      return emitOptionalError(loc, "'concat' expected tensors of one type, got ", typeText(first),
                               " and ", typeText(v.getType()));
    bool same = d.size() == dims.size();
    for (size_t i = 0; same && i < d.size(); ++i)
      same = static_cast<int64_t>(i) == axis || d[i] == dims[i];
    if (!same) // concat-c2
      return emitOptionalError(loc, "'concat' expected tensors that differ along axis ", axis,
                               " only, got ", typeText(first), " and ", typeText(v.getType()));
    sum = sum + d[axis];
  }
  dims[axis] = sum;
  results.push_back(tensorType(elementOf(first), dims));
  return success();
}

void ConcatOp::alignShapes(MutableArrayRef<SmallVector<DimExpr>> shapes, DictionaryAttr attributes,
                           AlignExtent require) {
  auto axis = attributes.getAs<IntegerAttr>("axis");
  alignToFirst(shapes, axis ? axis.getInt() : -1, require);
}

KILN_EVALUATE(ConcatOp) {
  Tensor &y = results[0];
  auto strides = y.strides();
  int64_t start = 0;
  for (const Tensor *x : operands) {
    int64_t position = 0;
    forEachIndex(x->shape, [&](ArrayRef<int64_t> i) {
      copyElement(*x, position++, y, linear(i, strides) + start * strides[getAxis()]);
    });
    start += x->shape[getAxis()];
  }
  return success();
}

//===----------------------------------------------------------------------===//
// slice, pad
//===----------------------------------------------------------------------===//

KILN_INFER(SliceOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type), starts = op.getStarts().getDims(),
                       sizes = op.getSizes().getDims();
  ArrayRef<int64_t> steps = op.getSteps();
  if (starts.size() != dims.size() || sizes.size() != dims.size() || steps.size() != dims.size() ||
      llvm::is_contained(steps, 0)) // slice-c1
    return emitOptionalError(
        loc, "'slice' expected a start, a size and a step other than 0 for each dimension of ",
        typeText(type));
  for (size_t i = 0; i < dims.size(); ++i) {
    DimExpr last = starts[i] + (sizes[i] - DimExpr(1)) * DimExpr(steps[i]);
    auto outside = [&](const DimExpr &position) {
      std::optional<int64_t> low = position.constantValue(),
                             room = (dims[i] - position).constantValue();
      return (low && *low < 0) || (room && *room < 1);
    };
    std::optional<int64_t> size = sizes[i].constantValue();
    if ((size && *size < 0) || (size != 0 && (outside(starts[i]) || outside(last)))) // slice-c2
      return emitOptionalError(loc, "'slice' expected positions within '", dims[i].str(), "', got ",
                               sizes[i].str(), " from ", starts[i].str(), " by ", steps[i],
                               " in dimension ", int64_t(i), " of ", typeText(type));
  }
  results.push_back(tensorType(elementOf(type), sizes));
  return success();
}

SmallVector<Requirement> SliceOp::getRequirements() {
  SmallVector<Requirement> all;
  SmallVector<DimExpr> dims = dimsOf(getX().getType()), starts = getStarts().getDims(),
                       sizes = getSizes().getDims();
  for (auto [i, step] : llvm::enumerate(getSteps())) {
    DimExpr last = starts[i] + (sizes[i] - DimExpr(1)) * DimExpr(step);
    auto [low, high] = step > 0 ? std::pair(starts[i], last) : std::pair(last, starts[i]);
    std::string where = " position in dimension " + std::to_string(i);
    // An empty slice may stand at either end: then `low` is at most one step above `high`.
    all.push_back({low, Relation::AtLeast, 0, "the lowest" + where});
    all.push_back({high, Relation::AtMost, dims[i] - DimExpr(1), "the highest" + where});
  }
  return all;
}

KILN_EVALUATE(SliceOp) {
  auto strides = operands[0]->strides();
  int64_t base = linear(evaluation.values(getStarts().getDims()), strides);
  for (auto [stride, step] : llvm::zip(strides, getSteps()))
    stride *= step;
  gatherElements(*operands[0], results[0],
                 [&](ArrayRef<int64_t> i) { return base + linear(i, strides); });
  return success();
}

OpFoldResult SliceOp::fold(FoldAdaptor) {
  // A slice of everything in order is the operand.
  bool whole = getX().getType() == getType();
  for (int64_t step : getSteps())
    whole &= step == 1;
  return whole ? getX() : Value();
}

/// "the border before dimension 1", of the i-th entry of a padding.
static std::string borderName(size_t i) {
  return "the border " + std::string(i % 2 ? "behind" : "before") + " dimension " +
         std::to_string(i / 2);
}

/// That there are elements for a border of x's own ones.
static SmallVector<Requirement> requirementsOfBorder(StringRef mode, ArrayRef<DimExpr> dims,
                                                     ArrayRef<DimExpr> padding) {
  SmallVector<Requirement> all;
  for (auto [i, border] : llvm::enumerate(padding)) {
    DimExpr n = dims[i / 2];
    if (mode == "constant" || border == DimExpr(0))
      continue;
    if (mode == "reflect") // nothing is mirrored by a border that turns out to be 0
      n = border.isConstant() ? n - DimExpr(1) : DimExpr::max(n - DimExpr(1), 0);
    if (mode == "replicate")
      all.push_back({n, Relation::AtLeast, DimExpr::min(border, 1),
                     "the extent of dimension " + std::to_string(i / 2)});
    else
      all.push_back({border, Relation::AtMost, n, borderName(i)});
  }
  return all;
}

KILN_INFER(PadOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type), padding = op.getPadding().getDims();
  bool ok = padding.size() == 2 * dims.size();
  for (const DimExpr &p : padding)
    ok &= !p.isConstant() || *p.constantValue() >= 0;
  if (!ok) // pad-c1
    return emitOptionalError(
        loc, "'pad' expected a pair of extents of at least 0 for each dimension of ",
        typeText(type));
  StringRef mode = op.getMode();
  bool isKnown = llvm::is_contained({"constant", "reflect", "replicate", "circular"}, mode);
  if (!isKnown || (mode != "constant" && !op.getValue().isZero())) // pad-c2
    return emitOptionalError(loc,
                             "'pad' expected the mode constant with a value, or reflect, replicate "
                             "or circular without one, got '",
                             mode, "' and ",
                             llvm::to_string(llvm::format("%g", op.getValue().convertToDouble())));
  for (const Requirement &r : requirementsOfBorder(mode, dims, padding)) { // pad-c3
    DimExpr room = r.relation == Relation::AtLeast ? r.got - r.expected : r.expected - r.got;
    if (std::optional<int64_t> most = room.bounds({}).upper; most && *most < 0)
      return emitOptionalError(loc, "'pad' cannot continue ", typeText(type), " by '", mode,
                               "': ", r.text());
  }
  for (size_t i = 0; i < dims.size(); ++i)
    dims[i] = dims[i] + padding[2 * i] + padding[2 * i + 1];
  results.push_back(tensorType(elementOf(type), dims));
  return success();
}

SmallVector<Requirement> PadOp::getRequirements() {
  SmallVector<DimExpr> padding = getPadding().getDims();
  SmallVector<Requirement> all = requirementsOfBorder(getMode(), dimsOf(getX().getType()), padding);
  for (auto [i, border] : llvm::enumerate(padding))
    all.push_back({border, Relation::AtLeast, 0, borderName(i)});
  return all;
}

/// The element that a position before or behind an extent of n is in a mode but `constant`.
static int64_t withinBorder(StringRef mode, int64_t at, int64_t n) {
  if (mode == "replicate")
    return std::clamp<int64_t>(at, 0, n - 1);
  if (mode == "circular")
    return (at + n) % n;
  return at < 0 ? -at : at < n ? at : 2 * (n - 1) - at;
}

KILN_EVALUATE(PadOp) {
  const Tensor &x = *operands[0];
  Tensor &y = results[0];
  double value = getValue().convertToDouble();
  auto padding = evaluation.values(getPadding().getDims());
  auto strides = x.strides();
  int64_t position = 0;
  forEachIndex(y.shape, [&](ArrayRef<int64_t> i) {
    int64_t from = 0, to = position++;
    bool isInside = true;
    for (size_t d = 0; d < i.size(); ++d) {
      int64_t at = i[d] - padding[2 * d], n = x.shape[d];
      if (!isConstant())
        at = withinBorder(getMode(), at, n);
      isInside &= at >= 0 && at < n;
      from += at * strides[d];
    }
    if (isInside)
      copyElement(x, from, y, to);
    else if (y.isFloat())
      y.floats[to] = roundTo(y.type, value);
    else
      y.ints[to] = truncateTo(y.type, value);
  });
  return success();
}
