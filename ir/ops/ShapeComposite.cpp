//===- ShapeComposite.cpp - shape ops defined by others -------------------===//
//
// Each has its meaning twice: `evaluate` from the definition, for the interpreter, and `decompose`
// into the base ops, for everything else.
//
//===----------------------------------------------------------------------===//

#include "ir/ops/Common.h"

#include "ir/Build.h"

#include <numeric>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

static Type elementOf(Type type) { return cast<RankedTensorType>(type).getElementType(); }

/// The definition of every op that only renames positions.
static LogicalResult copyAll(const Tensor &x, Tensor &y) {
  y.floats = x.floats;
  y.ints = x.ints;
  return success();
}

static SmallVector<Value> reshapeTo(OpBuilder &b, Operation *op) {
  return {ReshapeOp::create(b, op->getLoc(), op->getOperand(0),
                            DimsAttr::get(b.getContext(), dimsOf(op->getResult(0).getType())))};
}

/// x[start : start + size] along one axis.
static Value sliceAxis(OpBuilder &b, Location loc, Value x, int64_t axis, DimExpr start,
                       DimExpr size) {
  SmallVector<DimExpr> sizes = dimsOf(x.getType()), starts(sizes.size(), DimExpr(0));
  starts[axis] = start;
  sizes[axis] = size;
  SmallVector<int64_t> steps(sizes.size(), 1);
  return SliceOp::create(b, loc, x, DimsAttr::get(b.getContext(), starts),
                         DimsAttr::get(b.getContext(), sizes), steps);
}

//===----------------------------------------------------------------------===//
// flatten, squeeze, unsqueeze
//===----------------------------------------------------------------------===//

KILN_INFER(FlattenOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type), flat;
  int64_t first = op.getStartAxis(), last = op.getEndAxis(), rank = dims.size();
  if (first < 0 || last >= rank || first > last) // flatten-c1
    return emitOptionalError(loc, "'flatten' expected start_axis <= end_axis within ",
                             typeText(type), ", got ", first, " and ", last);
  DimExpr product(1);
  for (int64_t i = 0; i < rank; ++i) {
    if (i >= first && i <= last)
      product = product * dims[i];
    if (i < first || i > last)
      flat.push_back(dims[i]);
    else if (i == last)
      flat.push_back(product);
  }
  results.push_back(tensorType(elementOf(type), flat));
  return success();
}
KILN_EVALUATE(FlattenOp) { return copyAll(*operands[0], results[0]); }
SmallVector<Value> FlattenOp::decompose(OpBuilder &b) { return reshapeTo(b, *this); }

KILN_INFER(SqueezeOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type), kept;
  for (int64_t axis : op.getAxis())
    if (axis < 0 || axis >= static_cast<int64_t>(dims.size()) ||
        dims[axis] != DimExpr(1)) // squeeze-c1
      return emitOptionalError(loc, "'squeeze' expected extent 1 in axis ", axis, " of ",
                               typeText(type));
  for (size_t i = 0; i < dims.size(); ++i)
    if (!llvm::is_contained(op.getAxis(), static_cast<int64_t>(i)))
      kept.push_back(dims[i]);
  results.push_back(tensorType(elementOf(type), kept));
  return success();
}
void SqueezeOp::alignShapes(MutableArrayRef<SmallVector<DimExpr>> shapes, DictionaryAttr attributes,
                            AlignExtent require) {
  auto axes = attributes.getAs<DenseI64ArrayAttr>("axis");
  for (int64_t axis : axes ? axes.asArrayRef() : ArrayRef<int64_t>())
    if (axis >= 0 && axis < static_cast<int64_t>(shapes[0].size()) &&
        !align(shapes[0][axis], 1, "the extent of axis " + std::to_string(axis), require))
      return;
}
KILN_EVALUATE(SqueezeOp) { return copyAll(*operands[0], results[0]); }
SmallVector<Value> SqueezeOp::decompose(OpBuilder &b) { return reshapeTo(b, *this); }

KILN_INFER(UnsqueezeOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type);
  int64_t axis = op.getAxis();
  if (axis < 0 || axis > static_cast<int64_t>(dims.size())) // unsqueeze-c1
    return emitOptionalError(loc, "'unsqueeze' expected an axis from 0 to ", int64_t(dims.size()),
                             ", got ", axis);
  dims.insert(dims.begin() + axis, DimExpr(1));
  results.push_back(tensorType(elementOf(type), dims));
  return success();
}
KILN_EVALUATE(UnsqueezeOp) { return copyAll(*operands[0], results[0]); }
SmallVector<Value> UnsqueezeOp::decompose(OpBuilder &b) { return reshapeTo(b, *this); }

//===----------------------------------------------------------------------===//
// transpose, expand
//===----------------------------------------------------------------------===//

KILN_INFER(TransposeOp) {
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type);
  if (dims.size() < 2) // transpose-c1
    return emitOptionalError(loc, "'transpose' expected at least two dimensions, got ",
                             typeText(type));
  std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
  results.push_back(tensorType(elementOf(type), dims));
  return success();
}
KILN_EVALUATE(TransposeOp) {
  auto strides = operands[0]->strides();
  std::swap(strides[strides.size() - 1], strides[strides.size() - 2]);
  gatherElements(*operands[0], results[0], [&](ArrayRef<int64_t> i) { return linear(i, strides); });
  return success();
}
SmallVector<Value> TransposeOp::decompose(OpBuilder &b) {
  SmallVector<int64_t> axes(getType().getRank());
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  return {PermuteOp::create(b, getLoc(), getX(), axes)};
}

SmallVector<Value> ExpandOp::decompose(OpBuilder &b) {
  return {BroadcastToOp::create(b, getLoc(), getX(), getShape())};
}

//===----------------------------------------------------------------------===//
// stack, split
//===----------------------------------------------------------------------===//

KILN_INFER(StackOp) {
  Adaptor op(operands, attributes, properties, regions);
  bool ok = !operands.empty();
  for (Value v : operands)
    ok &= v.getType() == operands[0].getType();
  if (!ok) // stack-c1
    return emitOptionalError(loc, "'stack' expected at least one tensor, all of one type");
  SmallVector<DimExpr> dims = dimsOf(operands[0].getType());
  int64_t axis = op.getAxis(), rank = dims.size();
  if (axis < 0 || axis > rank)
    return emitOptionalError(loc, "'stack' expected an axis from 0 to ", rank, ", got ", axis);
  dims.insert(dims.begin() + axis, DimExpr(static_cast<int64_t>(operands.size())));
  results.push_back(tensorType(elementOf(operands[0].getType()), dims));
  return success();
}
void StackOp::alignShapes(MutableArrayRef<SmallVector<DimExpr>> shapes, DictionaryAttr,
                          AlignExtent require) {
  alignToFirst(shapes, -1, require);
}
KILN_EVALUATE(StackOp) {
  auto strides = results[0].strides();
  int64_t step = strides[getAxis()];
  strides.erase(strides.begin() + getAxis());
  for (auto [number, x] : llvm::enumerate(operands)) {
    int64_t position = 0;
    forEachIndex(x->shape, [&](ArrayRef<int64_t> i) {
      copyElement(*x, position++, results[0],
                  linear(i, strides) + static_cast<int64_t>(number) * step);
    });
  }
  return success();
}
SmallVector<Value> StackOp::decompose(OpBuilder &b) {
  SmallVector<DimExpr> dims = dimsOf(getType());
  dims[getAxis()] = DimExpr(1);
  SmallVector<Value> parts;
  for (Value x : getXs())
    parts.push_back(ReshapeOp::create(b, getLoc(), x, DimsAttr::get(b.getContext(), dims)));
  return {ConcatOp::create(b, getLoc(), parts, getAxis())};
}

/// The sizes of a split: a single number that is not the whole extent counts equal parts.
static SmallVector<DimExpr> partSizes(DimsAttr sizes, const DimExpr &extent) {
  SmallVector<DimExpr> parts = sizes.getDims();
  if (parts.size() != 1 || parts[0] == extent)
    return parts;
  std::optional<int64_t> count = parts[0].constantValue();
  if (!count || *count < 1 || *count > 100000)
    return parts;
  return SmallVector<DimExpr>(*count, DimExpr::floorDiv(extent, DimExpr(*count)));
}

KILN_INFER(SplitOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type);
  int64_t axis = op.getAxis();
  if (axis < 0 || axis >= static_cast<int64_t>(dims.size()))
    return emitOptionalError(loc, "'split' expected an axis of ", typeText(type), ", got ", axis);
  DimExpr extent = dims[axis], sum(0);
  SmallVector<DimExpr> parts = partSizes(op.getSizes(), extent);
  for (const DimExpr &part : parts) {
    sum = sum + part;
    dims[axis] = part;
    results.push_back(tensorType(elementOf(type), dims));
  }
  if (sum != extent) // split-c1
    return emitOptionalError(loc, "'split' expected parts that add up to '", extent.str(),
                             "' along axis ", axis, ", got '", sum.str(), "'");
  return success();
}
void SplitOp::alignShapes(MutableArrayRef<SmallVector<DimExpr>> shapes, DictionaryAttr attributes,
                          AlignExtent require) {
  auto axis = attributes.getAs<IntegerAttr>("axis");
  auto sizes = attributes.getAs<DimsAttr>("sizes");
  if (!axis || !sizes || axis.getInt() < 0 ||
      axis.getInt() >= static_cast<int64_t>(shapes[0].size()))
    return;
  DimExpr &extent = shapes[0][axis.getInt()], sum(0);
  for (const DimExpr &part : partSizes(sizes, extent))
    sum = sum + part;
  align(extent, sum, "the extent along axis " + std::to_string(axis.getInt()), require);
}
KILN_EVALUATE(SplitOp) {
  auto strides = operands[0]->strides();
  int64_t start = 0;
  for (Tensor &part : results) {
    gatherElements(*operands[0], part, [&](ArrayRef<int64_t> i) {
      return linear(i, strides) + start * strides[getAxis()];
    });
    start += part.shape[getAxis()];
  }
  return success();
}
SmallVector<Value> SplitOp::decompose(OpBuilder &b) {
  SmallVector<Value> parts;
  DimExpr start(0);
  for (Value result : getResults()) {
    DimExpr size = dimsOf(result.getType())[getAxis()];
    parts.push_back(sliceAxis(b, getLoc(), getX(), getAxis(), start, size));
    start = start + size;
  }
  return parts;
}

//===----------------------------------------------------------------------===//
// tile, flip, roll
//===----------------------------------------------------------------------===//

KILN_INFER(TileOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type);
  bool ok = op.getRepeats().size() == dims.size();
  for (size_t i = 0; ok && i < dims.size(); ++i) {
    ok = op.getRepeats()[i] >= 0;
    dims[i] = dims[i] * DimExpr(op.getRepeats()[i]);
  }
  if (!ok) // tile-c1
    return emitOptionalError(loc, "'tile' expected a repeat of at least 0 for each dimension of ",
                             typeText(type));
  results.push_back(tensorType(elementOf(type), dims));
  return success();
}
KILN_EVALUATE(TileOp) {
  const Tensor &x = *operands[0];
  auto strides = x.strides();
  gatherElements(x, results[0], [&](ArrayRef<int64_t> i) {
    int64_t at = 0;
    for (size_t d = 0; d < i.size(); ++d)
      at += i[d] % x.shape[d] * strides[d];
    return at;
  });
  return success();
}
SmallVector<Value> TileOp::decompose(OpBuilder &b) {
  // [A, B] -> [1, A, 1, B] -> [r, A, s, B] -> [r*A, s*B]
  SmallVector<DimExpr> dims = dimsOf(getX().getType()), split, wide;
  for (size_t i = 0; i < dims.size(); ++i) {
    split.append({DimExpr(1), dims[i]});
    wide.append({DimExpr(getRepeats()[i]), dims[i]});
  }
  Value apart = ReshapeOp::create(b, getLoc(), getX(), DimsAttr::get(b.getContext(), split));
  Value repeated = BroadcastToOp::create(b, getLoc(), apart, DimsAttr::get(b.getContext(), wide));
  return {
      ReshapeOp::create(b, getLoc(), repeated, DimsAttr::get(b.getContext(), dimsOf(getType())))};
}

KILN_INFER(FlipOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  int64_t rank = cast<RankedTensorType>(type).getRank();
  for (auto [i, axis] : llvm::enumerate(op.getAxis()))
    if (axis < 0 || axis >= rank || llvm::is_contained(op.getAxis().take_front(i), axis)) // flip-c1
      return emitOptionalError(loc, "'flip' expected different axes of ", typeText(type), ", got ",
                               axis);
  results.push_back(type);
  return success();
}
KILN_EVALUATE(FlipOp) {
  const Tensor &x = *operands[0];
  auto strides = x.strides();
  gatherElements(x, results[0], [&](ArrayRef<int64_t> i) {
    SmallVector<int64_t, 6> at(i);
    for (int64_t axis : getAxis())
      at[axis] = x.shape[axis] - 1 - i[axis];
    return linear(at, strides);
  });
  return success();
}
SmallVector<Value> FlipOp::decompose(OpBuilder &b) {
  SmallVector<DimExpr> sizes = dimsOf(getType()), starts(sizes.size(), DimExpr(0));
  SmallVector<int64_t> steps(sizes.size(), 1);
  for (int64_t axis : getAxis()) {
    starts[axis] = sizes[axis] - DimExpr(1);
    steps[axis] = -1;
  }
  return {SliceOp::create(b, getLoc(), getX(), DimsAttr::get(b.getContext(), starts),
                          DimsAttr::get(b.getContext(), sizes), steps)};
}

KILN_INFER(RollOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type);
  int64_t axis = op.getAxis();
  if (axis < 0 || axis >= static_cast<int64_t>(dims.size())) // roll-c1
    return emitOptionalError(loc, "'roll' expected an axis of ", typeText(type), ", got ", axis);
  results.push_back(type);
  return success();
}
static int64_t wrapShift(int64_t shift, int64_t extent) {
  return extent ? ((shift % extent) + extent) % extent : 0;
}
KILN_EVALUATE(RollOp) {
  const Tensor &x = *operands[0];
  auto strides = x.strides();
  int64_t extent = x.shape[getAxis()], shift = wrapShift(getShift(), extent);
  gatherElements(x, results[0], [&](ArrayRef<int64_t> i) {
    SmallVector<int64_t, 6> at(i);
    at[getAxis()] = (i[getAxis()] + extent - shift) % extent;
    return linear(at, strides);
  });
  return success();
}
SmallVector<Value> RollOp::decompose(OpBuilder &b) {
  DimExpr along = dimsOf(getType())[getAxis()];
  if (!along.isConstant()) {
    Build build{b, getLoc()};
    Value from = build.make<ArangeOp>(build.dims(along), b.getI64IntegerAttr(-getShift()),
                                      b.getI64IntegerAttr(1), TypeAttr::get(b.getI64Type()));
    Value length = build.broadcast(build.make<ExtentOp>(build.dims(along)), {along});
    return {build.make<TakeOp>(getX(), build.make<ModOp>(from, length),
                               b.getI64IntegerAttr(getAxis()), b.getUnitAttr())};
  }
  int64_t extent = *along.constantValue(), shift = wrapShift(getShift(), extent);
  if (shift == 0)
    return {getX()};
  Value tail = sliceAxis(b, getLoc(), getX(), getAxis(), extent - shift, shift);
  Value head = sliceAxis(b, getLoc(), getX(), getAxis(), 0, extent - shift);
  return {ConcatOp::create(b, getLoc(), ValueRange{tail, head}, getAxis())};
}
