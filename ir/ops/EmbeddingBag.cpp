//===- EmbeddingBag.cpp - sums, means and maxima of rows of a table -------===//

#include "ir/Build.h"
#include "ir/ops/Common.h"

#include <cmath>
#include <limits>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

using Dims = SmallVector<DimExpr>;

static constexpr double infinity = std::numeric_limits<double>::infinity();

KILN_INFER(EmbeddingBagOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type indices = operands[0].getType(), table = operands[1].getType();
  Dims list = dimsOf(indices), width = dimsOf(table), bags;
  if (failed(requireDomain(loc, "embedding_bag", indices, Domain::Integer))) // embedbag-c1
    return failure();
  if (width.size() != 2 || !isFloat(*dtypeOf(table))) // embedbag-c2
    return emitOptionalError(loc, "'embedding_bag' expected a table of floats with two dimensions,",
                             " got ", typeText(table));
  if (Value offsets = op.getOffsets()) {
    if (failed(requireDomain(loc, "embedding_bag", offsets.getType(), Domain::Integer)))
      return failure(); // embedbag-c1
    bags = dimsOf(offsets.getType());
  }
  if (op.getOffsets() ? list.size() != 1 || bags.size() != 1 : list.size() != 2) // embedbag-c3
    return emitOptionalError(loc, "'embedding_bag' expected indices of two dimensions, or of one ",
                             "and offsets of one, got ", typeText(indices));
  if (Value weights = op.getPerSampleWeights();
      weights && weights.getType() != tensorType(cast<RankedTensorType>(table).getElementType(),
                                                 list)) // embedbag-c4
    return emitOptionalError(loc, "'embedding_bag' expected a weight for each index of ",
                             typeText(indices), ", got ", typeText(weights.getType()));
  StringRef mode = op.getMode();
  bool isKnown = mode == "sum" || (!op.getPerSampleWeights() && (mode == "mean" || mode == "max"));
  if (!isKnown) // embedbag-c5
    return emitOptionalError(loc, "'embedding_bag' expected the mode \"sum\", or \"mean\" or ",
                             "\"max\" without per_sample_weights, got \"", mode, "\"");
  results.push_back(tensorType(cast<RankedTensorType>(table).getElementType(),
                               {op.getOffsets() ? bags[0] : list[0], width[1]}));
  return success();
}

void EmbeddingBagOp::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr attributes,
                                 AlignExtent require) {
  auto segments = attributes.getAs<DenseI32ArrayAttr>("operandSegmentSizes");
  if (segments && segments.size() == 4 && segments[3] && shapes.back().size() == shapes[0].size())
    for (auto [dim, wanted] : llvm::zip(shapes.back(), shapes[0]))
      if (!align(dim, wanted, "the number of per_sample_weights", require))
        return;
}

//===----------------------------------------------------------------------===//
// Meaning
//===----------------------------------------------------------------------===//

/// The bag of the index at a position of the list, or -1.
static int64_t bagOf(int64_t position, const Tensor *offsets, int64_t perBag) {
  if (!offsets)
    return position / perBag;
  return llvm::count_if(offsets->ints, [&](int64_t offset) { return offset <= position; }) - 1;
}

KILN_EVALUATE(EmbeddingBagOp) {
  const Tensor &indices = *operands[0], &table = *operands[1];
  const Tensor *offsets = getOffsets() ? operands[2] : nullptr;
  const Tensor *weights = getPerSampleWeights() ? operands.back() : nullptr;
  int64_t width = table.shape[1];
  std::vector<double> &y = results[0].floats;
  std::vector<int64_t> counts(results[0].shape[0], 0);
  bool isMax = getMode() == "max";
  for (int64_t j = 0, n = indices.numElements(); j < n; ++j) {
    FailureOr<int64_t> row = positionOf(*this, indices.ints[j], table.shape[0]);
    if (failed(row))
      return failure();
    int64_t bag = bagOf(j, offsets, offsets ? 0 : indices.shape[1]);
    if (bag < 0)
      continue;
    for (int64_t k = 0; k < width; ++k) {
      double value = table.floats[*row * width + k] * (weights ? weights->floats[j] : 1);
      double &sum = y[bag * width + k];
      if (!isMax)
        sum += value;
      else if (!counts[bag] || !(value <= sum)) // NaN is the largest, and stays
        sum = std::isnan(sum) ? sum : value;
    }
    ++counts[bag];
  }
  if (getMode() == "mean")
    for (size_t i = 0; i < y.size(); ++i)
      y[i] /= double(std::max<int64_t>(counts[i / width], 1));
  return success();
}

//===----------------------------------------------------------------------===//
// Definition in other ops
//===----------------------------------------------------------------------===//

namespace {
/// Builds one bag for each row of the result from rows [N, D], or [B, L, D].
struct Bags {
  const Build &b;
  StringRef mode;
  Value offsets; ///< of a list; null for bags of equal size
  Type wide;
  DimExpr bags, width;

  DenseI64ArrayAttr axes(int64_t axis) const { return b.builder.getDenseI64ArrayAttr(axis); }
  Value sum(Value x, int64_t axis) const {
    return b.make<SumOp>(x, axes(axis), b.builder.getBoolAttr(false));
  }
  /// The largest along axis 1 of [B, L, D], which may be empty; then 0.
  Value largest(Value x, Value isEmpty) const {
    Dims border(6, 0);
    border[3] = 1;
    Value top = b.make<MaxOp>(b.pad(x, border, -infinity), axes(1), b.builder.getBoolAttr(false));
    return b.make<WhereOp>(isEmpty, b.full(0, {bags, width}, wide), top);
  }
  Value divide(Value x, Value counts) const { // counts: i64, [B, 1] or [1, 1]
    Value least =
        b.make<MaximumOp>(counts, b.full(1, dimsOf(counts.getType()), b.builder.getI64Type()));
    return b.make<DivOp>(x, b.broadcast(b.cast(least, wide), {bags, width}));
  }
  Value ofEqualSize(Value rows, const DimExpr &size) const;
  Value ofOffsets(Value rows, const DimExpr &count) const;
};
} // namespace

Value Bags::ofEqualSize(Value rows, const DimExpr &size) const {
  Value count = b.broadcast(b.make<ExtentOp>(b.dims(size)), {DimExpr(1), DimExpr(1)});
  if (mode == "max") {
    Value none = b.make<EqOp>(count, b.full(0, {DimExpr(1), DimExpr(1)}, b.builder.getI64Type()));
    return largest(rows, b.broadcast(none, {bags, width}));
  }
  Value total = sum(rows, 1);
  return mode == "mean" ? divide(total, count) : total;
}

/// Bag 0 takes what stands before the first offset; the others move up by one.
Value Bags::ofOffsets(Value rows, const DimExpr &count) const {
  Type integer = b.builder.getI64Type();
  IntegerAttr axis = b.builder.getI64IntegerAttr(0);
  UnitAttr guarded = b.builder.getUnitAttr();
  Value starts = b.cast(offsets, integer);
  Value last = b.broadcast(b.make<ExtentOp>(b.dims(count)), bags);
  starts = b.make<MinimumOp>(b.make<MaximumOp>(starts, b.full(0, bags, integer)), last);
  // How many offsets are at most each position.
  DimExpr ends = count + DimExpr(1);
  Value marks =
      b.make<IndexAddOp>(b.full(0, ends, integer), starts, b.full(1, bags, integer), axis, guarded);
  Value totals =
      b.make<CumsumOp>(marks, axis, b.builder.getBoolAttr(false), b.builder.getBoolAttr(false));
  auto cut = [&](Value x, ArrayRef<DimExpr> starts, ArrayRef<DimExpr> sizes) {
    SmallVector<int64_t> steps(sizes.size(), 1);
    return b.make<SliceOp>(x, b.dims(starts), b.dims(sizes), b.builder.getDenseI64ArrayAttr(steps));
  };
  Value bag = cut(totals, DimExpr(0), count);
  // What stands before the first offset falls on a slot in front of the bags'.
  DimExpr slots = bags + DimExpr(1);
  auto ofBags = [&](Value all) {
    Dims first, kept = dimsOf(all.getType());
    kept[0] = bags;
    first.assign(kept.size(), 0);
    first[0] = 1;
    return cut(all, first, kept);
  };
  auto addUp = [&](Value values, ArrayRef<DimExpr> shape) {
    return ofBags(
        b.make<IndexAddOp>(b.full(0, shape, b.elementOf(values)), bag, values, axis, guarded));
  };
  if (mode == "sum")
    return addUp(rows, {slots, width});
  Value counts = b.reshape(addUp(b.full(1, count, integer), slots), {bags, DimExpr(1)});
  if (mode == "mean")
    return divide(addUp(rows, {slots, width}), counts);
  Value top =
      ofBags(b.make<IndexMaxOp>(b.full(-infinity, {slots, width}, wide), bag, rows, axis, guarded));
  Value none = b.make<EqOp>(counts, b.full(0, {bags, DimExpr(1)}, integer));
  return b.make<WhereOp>(b.broadcast(none, {bags, width}), b.full(0, {bags, width}, wide), top);
}

SmallVector<Value> EmbeddingBagOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Dims list = dimsOf(getIndices().getType()), shape = dimsOf(getResult().getType());
  Bags bags{b, getMode(), getOffsets(), b.wideOf(getWeight()), shape[0], shape[1]};
  Value rows = b.make<TakeOp>(getWeight(), getIndices(), builder.getI64IntegerAttr(0), UnitAttr());
  rows = b.cast(rows, bags.wide);
  Dims all = dimsOf(rows.getType()), column = list;
  column.push_back(1);
  if (Value weights = getPerSampleWeights())
    rows = b.make<MulOp>(rows, b.broadcast(b.reshape(b.cast(weights, bags.wide), column), all));
  Value y = getOffsets() ? bags.ofOffsets(rows, list[0]) : bags.ofEqualSize(rows, list[1]);
  return {b.cast(y, b.elementOf(getWeight()))};
}
