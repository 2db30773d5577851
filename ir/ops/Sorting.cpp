//===- Sorting.cpp - elements in order ------------------------------------===//

#include "ir/ops/Common.h"

#include <cmath>
#include <numeric>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

static LogicalResult checkAxis(MaybeLoc loc, StringRef name, Type type, int64_t axis) {
  int64_t rank = cast<RankedTensorType>(type).getRank();
  if (axis < 0 || axis >= rank)
    return emitOptionalError(loc, "'", name, "' expected an axis from 0 to ", rank - 1, ", got ",
                             axis);
  return success();
}

static Type positionsLike(Type type) {
  return tensorType(type.getContext(), DType::I64, dimsOf(type));
}

/// Whether element a of x is less than element b.
static bool isLess(const Tensor &x, int64_t a, int64_t b) {
  if (!x.isFloat())
    return x.ints[a] < x.ints[b];
  if (std::isnan(x.floats[a]) || std::isnan(x.floats[b]))
    return !std::isnan(x.floats[a]);
  return x.floats[a] < x.floats[b];
}

/// Sorts the elements along the axis; the first as many as the results have room for go there.
static void evaluateSort(const Tensor &x, int64_t axis, bool descending, Tensor *values,
                         Tensor &indices) {
  auto from = x.strides(), to = indices.strides();
  SmallVector<int64_t> rows(x.shape);
  rows[axis] = 1;
  std::vector<int64_t> order(x.shape[axis]);
  forEachIndex(rows, [&](ArrayRef<int64_t> index) {
    int64_t start = linear(index, from), target = linear(index, to);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      int64_t left = start + a * from[axis], right = start + b * from[axis];
      return descending ? isLess(x, right, left) : isLess(x, left, right);
    });
    for (int64_t i = 0; i < indices.shape[axis]; ++i) {
      indices.ints[target + i * to[axis]] = order[i];
      if (values)
        copyElement(x, start + order[i] * from[axis], *values, target + i * to[axis]);
    }
  });
}

//===----------------------------------------------------------------------===//
// sort, argsort
//===----------------------------------------------------------------------===//

/// The same as all of `topk`.
static TopkOp allOf(OpBuilder &builder, Location loc, Value x, IntegerAttr axis, BoolAttr largest) {
  DimExpr extent = dimsOf(x.getType())[axis.getInt()];
  return TopkOp::create(builder, loc, x, DimsAttr::get(builder.getContext(), extent), axis, largest,
                        builder.getBoolAttr(true));
}

KILN_INFER(SortOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  if (failed(checkAxis(loc, "sort", type, op.getAxis()))) // sort-c1
    return failure();
  results.append({type, positionsLike(type)});
  return success();
}

KILN_EVALUATE(SortOp) {
  evaluateSort(*operands[0], getAxis(), getDescending(), &results[0], results[1]);
  return success();
}

SmallVector<Value> SortOp::decompose(OpBuilder &builder) {
  return llvm::to_vector_of<Value>(
      allOf(builder, getLoc(), getX(), getAxisAttr(), getDescendingAttr()).getResults());
}

KILN_INFER(ArgsortOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  if (failed(checkAxis(loc, "argsort", type, op.getAxis()))) // argsort-c1
    return failure();
  results.push_back(positionsLike(type));
  return success();
}

KILN_EVALUATE(ArgsortOp) {
  evaluateSort(*operands[0], getAxis(), getDescending(), nullptr, results[0]);
  return success();
}

SmallVector<Value> ArgsortOp::decompose(OpBuilder &builder) {
  return {allOf(builder, getLoc(), getX(), getAxisAttr(), getDescendingAttr()).getIndices()};
}

//===----------------------------------------------------------------------===//
// topk
//===----------------------------------------------------------------------===//

KILN_INFER(TopkOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  int64_t axis = op.getAxis();
  if (failed(checkAxis(loc, "topk", type, axis))) // topk-c1
    return failure();
  SmallVector<DimExpr> dims = dimsOf(type), k = op.getK().getDims();
  std::optional<int64_t> most, room;
  if (k.size() == 1) {
    most = k[0].bounds({}).upper;
    room = (dims[axis] - k[0]).bounds({}).upper;
  }
  if (k.size() != 1 || (most && *most < 0) || (room && *room < 0)) // topk-c2
    return emitOptionalError(loc, "'topk' expected from 0 to ", dims[axis].str(), " elements, got ",
                             k.size() == 1 ? k[0].str() : "a list");
  dims[axis] = k[0];
  Type values = tensorType(cast<RankedTensorType>(type).getElementType(), dims);
  results.append({values, positionsLike(values)});
  return success();
}

SmallVector<Requirement> TopkOp::getRequirements() {
  DimExpr k = getK().getDims()[0];
  return {{k, Relation::AtLeast, 0, "the number of elements"},
          {k, Relation::AtMost, dimsOf(getX().getType())[getAxis()], "the number of elements"}};
}

KILN_EVALUATE(TopkOp) {
  evaluateSort(*operands[0], getAxis(), getLargest(), &results[0], results[1]);
  return success();
}
