//===- DataDependent.cpp - extents that values decide ---------------------===//

#include "ir/Build.h"
#include "ir/ops/Common.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

#include <cmath>
#include <numeric>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

static Type scalarType(MLIRContext *context) { return tensorType(context, DType::I64, {}); }

static Type positionsType(MLIRContext *context, ArrayRef<DimExpr> dims) {
  return tensorType(context, DType::I64, dims);
}

static DimExpr elementsOf(Value value) { return numElements(dimsOf(value.getType())); }

static void setCount(Tensor &count, int64_t value) { count.ints[0] = value; }

//===----------------------------------------------------------------------===//
// find, nonzero
//===----------------------------------------------------------------------===//

KILN_INFER(FindOp) {
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type);
  if (dtypeOf(type) != DType::Bool || dims.size() != 1) // find-c1
    return emitOptionalError(loc, "'find' expected bool with one dimension, got ", typeText(type));
  results.append({positionsType(context, dims), scalarType(context)});
  return success();
}

KILN_EVALUATE(FindOp) {
  int64_t count = 0;
  for (auto [i, value] : llvm::enumerate(operands[0]->ints))
    if (value)
      results[0].ints[count++] = i;
  setCount(results[1], count);
  return success();
}

KILN_INFER(NonzeroOp) {
  SmallVector<DimExpr> dims = dimsOf(operands[0].getType());
  if (dims.empty()) // nonzero-c1
    return emitOptionalError(loc, "'nonzero' expected a tensor with a dimension, got ",
                             typeText(operands[0].getType()));
  DimExpr rank(dims.size());
  results.append({positionsType(context, {numElements(dims), rank}), scalarType(context)});
  return success();
}

KILN_EVALUATE(NonzeroOp) {
  const Tensor &x = *operands[0];
  int64_t count = 0, rank = x.shape.size(), at = 0;
  forEachIndex(x.shape, [&](ArrayRef<int64_t> index) {
    bool isZero = x.isFloat() ? x.floats[at] == 0 : x.ints[at] == 0;
    ++at;
    if (!isZero)
      llvm::copy(index, results[0].ints.begin() + rank * count++);
  });
  setCount(results[1], count);
  return success();
}

bool NonzeroOp::isCounted(unsigned result) { return result == 0; }
bool NonzeroOp::isWanted(unsigned) { return true; }

/// Positions in the flattened mask, taken apart into one column a dimension.
SmallVector<Value> NonzeroOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  SmallVector<DimExpr> dims = dimsOf(getX().getType());
  DimExpr elements = elementsOf(getX());
  Value x = getX();
  if (dtypeOf(x.getType()) != DType::Bool)
    x = b.make<NeOp>(x, b.full(0, dims, Build::elementOf(x)));
  auto find = FindOp::create(builder, getLoc(), b.reshape(x, {elements}));
  Value rest = find.getPositions();
  SmallVector<Value> columns(dims.size());
  auto extent = [&](const DimExpr &dim) {
    return b.broadcast(b.make<ExtentOp>(b.dims(dim)), {elements});
  };
  for (size_t axis = dims.size(); axis-- > 0;) {
    Value column = axis ? b.make<ModOp>(rest, extent(dims[axis])) : rest;
    columns[axis] = b.reshape(column, {elements, DimExpr(1)});
    rest = axis ? b.make<FloorDivOp>(rest, extent(dims[axis])) : rest;
  }
  Value all =
      columns.size() == 1 ? columns[0] : b.make<ConcatOp>(columns, builder.getI64IntegerAttr(1));
  return {all, find.getCount()};
}

//===----------------------------------------------------------------------===//
// unique
//===----------------------------------------------------------------------===//

KILN_INFER(UniqueOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = operands[0].getType();
  SmallVector<DimExpr> dims = dimsOf(type);
  DimExpr elements = numElements(dims), none(0);
  results.push_back(tensorType(cast<RankedTensorType>(type).getElementType(), {elements}));
  if (op.getReturnInverse())
    results.push_back(positionsType(context, dims));
  else
    results.push_back(positionsType(context, {none}));
  results.push_back(positionsType(context, {op.getReturnCounts() ? elements : none}));
  results.push_back(scalarType(context));
  return success();
}

KILN_EVALUATE(UniqueOp) {
  const Tensor &x = *operands[0];
  std::vector<int64_t> order(x.numElements());
  std::iota(order.begin(), order.end(), 0);
  auto isLess = [&](int64_t a, int64_t b) {
    if (!x.isFloat())
      return x.ints[a] < x.ints[b];
    return std::isnan(x.floats[b]) ? !std::isnan(x.floats[a]) : x.floats[a] < x.floats[b];
  };
  std::stable_sort(order.begin(), order.end(), isLess);
  int64_t count = 0;
  for (auto [i, element] : llvm::enumerate(order)) {
    bool isNaN = x.isFloat() && std::isnan(x.floats[element]);
    if (i == 0 || isNaN || isLess(order[i - 1], element))
      copyElement(x, element, results[0], count++);
    if (getReturnInverse())
      results[1].ints[element] = count - 1;
    if (getReturnCounts())
      ++results[2].ints[count - 1];
  }
  setCount(results[3], count);
  return success();
}

bool UniqueOp::isCounted(unsigned result) { return result != 1; }
bool UniqueOp::isWanted(unsigned result) {
  return result == 1 ? getReturnInverse() : result == 2 ? getReturnCounts() : true;
}

namespace {
/// Ops on vectors of one length.
struct Vectors {
  Build b;
  DimExpr length;

  Value number(int64_t value) const { return spread(b.make<ExtentOp>(b.dims(DimExpr(value)))); }
  Value spread(Value scalar) const { return b.broadcast(scalar, {length}); }
  Value lengthValue() const { return spread(b.make<ExtentOp>(b.dims(length))); }
  Value positions() const {
    return b.make<ArangeOp>(b.dims(length), b.builder.getI64IntegerAttr(0),
                            b.builder.getI64IntegerAttr(1), TypeAttr::get(b.builder.getI64Type()));
  }
  /// The positions are within the vector.
  Value take(Value x, Value positions) const {
    return b.make<TakeOp>(x, positions, b.builder.getI64IntegerAttr(0), b.builder.getUnitAttr());
  }
};
} // namespace

/// Of the sorted elements each that differs from the one before begins a value.
SmallVector<Value> UniqueOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Vectors v{b, elementsOf(getX())};
  DimExpr n = v.length;
  Type element = Build::elementOf(getX());
  auto sort = SortOp::create(builder, getLoc(), b.reshape(getX(), {n}),
                             builder.getI64IntegerAttr(0), builder.getBoolAttr(false));
  Value sorted = sort.getValues(), index = v.positions(), one = v.number(1), zero = v.number(0);
  Value before = v.take(sorted, b.make<MaximumOp>(b.make<SubOp>(index, one), zero));
  Value begins = b.make<LogicalOrOp>(b.make<EqOp>(index, zero), b.make<NeOp>(sorted, before));
  auto find = FindOp::create(builder, getLoc(), begins);
  Value starts = find.getPositions(), count = v.spread(find.getCount());
  Value counts = b.make<LtOp>(index, count);
  Value values = b.make<WhereOp>(counts, v.take(sorted, starts), b.full(0, {n}, element));
  SmallVector<Value> all = {values};
  Type i64 = builder.getI64Type();
  if (getReturnInverse()) {
    Value group =
        b.make<SubOp>(b.make<CumsumOp>(b.cast(begins, i64), builder.getI64IntegerAttr(0),
                                       builder.getBoolAttr(false), builder.getBoolAttr(false)),
                      one);
    Value back = b.make<IndexCopyOp>(b.full(0, {n}, i64), sort.getIndices(), group,
                                     builder.getI64IntegerAttr(0), builder.getUnitAttr());
    all.push_back(b.reshape(back, dimsOf(getX().getType())));
  } else {
    all.push_back(b.full(0, {DimExpr(0)}, i64));
  }
  if (getReturnCounts()) {
    Value next = b.make<AddOp>(index, one);
    Value last =
        b.make<MinimumOp>(next, b.make<MaximumOp>(b.make<SubOp>(v.lengthValue(), one), zero));
    Value end = b.make<WhereOp>(b.make<LtOp>(next, count), v.take(starts, last), v.lengthValue());
    all.push_back(b.make<WhereOp>(counts, b.make<SubOp>(end, starts), zero));
  } else {
    all.push_back(b.full(0, {DimExpr(0)}, i64));
  }
  all.push_back(find.getCount());
  return all;
}

//===----------------------------------------------------------------------===//
// nms
//===----------------------------------------------------------------------===//

KILN_INFER(NmsOp) {
  Type boxes = operands[0].getType(), scores = operands[1].getType();
  SmallVector<DimExpr> dims = dimsOf(boxes), rows = dimsOf(scores);
  std::optional<DType> type = dtypeOf(boxes);
  if ((type != DType::F32 && type != DType::F64) || dims.size() != 2 || dims[1] != DimExpr(4))
    return emitOptionalError(loc, "'nms' expected boxes of f32[N, 4] or f64[N, 4], got ",
                             typeText(boxes));                           // nms-c1
  if (dtypeOf(scores) != type || rows.size() != 1 || rows[0] != dims[0]) // nms-c2
    return emitOptionalError(loc, "'nms' expected a score of the same type for each box, got ",
                             typeText(boxes), " and ", typeText(scores));
  results.append({positionsType(context, rows), scalarType(context)});
  return success();
}

void NmsOp::alignShapes(MutableArrayRef<SmallVector<DimExpr>> shapes, DictionaryAttr,
                        AlignExtent require) {
  if (shapes.size() == 2 && shapes[0].size() == 2 && shapes[1].size() == 1)
    align(shapes[1][0], shapes[0][0], "the number of scores", require);
}

/// Whether box `a` covers too much of box `b`, each operation in the element type. A box with a NaN
/// covers nothing.
template <typename T> static bool covers(const double *a, const double *b, double threshold) {
  for (const double *box : {a, b})
    if (std::any_of(box, box + 4, [](double x) { return std::isnan(x); }))
      return false;
  auto width = [](T low, T high) { return std::max(T(high - low), T(0)); };
  auto area = [&](const double *box) {
    return T(T(box[2]) - T(box[0])) * T(T(box[3]) - T(box[1]));
  };
  T inner = T(width(std::max(T(a[0]), T(b[0])), std::min(T(a[2]), T(b[2])))) *
            T(width(std::max(T(a[1]), T(b[1])), std::min(T(a[3]), T(b[3]))));
  T together = T(T(area(a)) + T(area(b))) - inner;
  return T(inner / together) > T(threshold);
}

KILN_EVALUATE(NmsOp) {
  const Tensor &boxes = *operands[0], &scores = *operands[1];
  std::vector<int64_t> order(scores.numElements());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    double x = scores.floats[a], y = scores.floats[b];
    return std::isnan(y) ? false : std::isnan(x) || x > y;
  });
  std::vector<bool> isGone(order.size());
  double threshold = getIouThreshold().convertToDouble();
  int64_t count = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (isGone[i])
      continue;
    results[0].ints[count++] = order[i];
    const double *box = &boxes.floats[4 * order[i]];
    for (size_t j = i + 1; j < order.size(); ++j) {
      const double *other = &boxes.floats[4 * order[j]];
      if (boxes.type == DType::F32 ? covers<float>(box, other, threshold)
                                   : covers<double>(box, other, threshold))
        isGone[j] = true;
    }
  }
  setCount(results[1], count);
  return success();
}

bool NmsOp::isCounted(unsigned result) { return result == 0; }
bool NmsOp::isWanted(unsigned) { return true; }

namespace {
/// Intersection over union of one box with all, column by column.
struct Overlap {
  Vectors v;
  Type element;

  Value column(Value boxes, int64_t which) const {
    const Build &b = v.b;
    DimExpr rows = dimsOf(boxes.getType())[0];
    SmallVector<DimExpr> starts = {0, which}, sizes = {rows, 1};
    Value part = b.make<SliceOp>(boxes, b.dims(starts), b.dims(sizes),
                                 b.builder.getDenseI64ArrayAttr({1, 1}));
    return b.reshape(part, {rows});
  }

  /// `box` has one row.
  Value of(Value box, Value boxes) const {
    const Build &b = v.b;
    Value one[4], all[4];
    for (int64_t i = 0; i < 4; ++i) {
      one[i] = b.broadcast(column(box, i), {v.length});
      all[i] = column(boxes, i);
    }
    Value zero = b.full(0, {v.length}, element);
    auto side = [&](int64_t low) {
      Value begin = b.make<MaximumOp>(one[low], all[low]),
            end = b.make<MinimumOp>(one[low + 2], all[low + 2]);
      return b.make<MaximumOp>(b.make<SubOp>(end, begin), zero);
    };
    auto area = [&](Value *box) {
      return b.make<MulOp>(b.make<SubOp>(box[2], box[0]), b.make<SubOp>(box[3], box[1]));
    };
    Value inner = b.make<MulOp>(side(0), side(1));
    Value together = b.make<SubOp>(b.make<AddOp>(area(one), area(all)), inner);
    return b.make<DivOp>(inner, together);
  }
};
} // namespace

/// A round for each box, best first: it takes away those behind it that it covers, unless it is
/// gone itself.
SmallVector<Value> NmsOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Location loc = getLoc();
  DimExpr n = dimsOf(getScores().getType())[0];
  Vectors v{b, n};
  Type element = Build::elementOf(getBoxes());
  Value order =
      b.make<ArgsortOp>(getScores(), builder.getI64IntegerAttr(0), builder.getBoolAttr(true));
  Value boxes = v.take(getBoxes(), order), index = v.positions();
  Value all = b.make<GeOp>(index, v.number(0));
  Type mask = all.getType();
  auto scan = ScanOp::create(builder, loc, TypeRange{mask}, ValueRange{boxes, index},
                             ValueRange{all}, false, DimsAttr());
  Block &body = scan.getBody().emplaceBlock();
  Type boxType = tensorType(element, {DimExpr(4)});
  Value box = body.addArgument(boxType, loc),
        round = body.addArgument(scalarType(getContext()), loc), left = body.addArgument(mask, loc);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(&body);
    Overlap overlap{v, element};
    Value share = overlap.of(b.reshape(box, {DimExpr(1), DimExpr(4)}), boxes);
    Value threshold = b.full(getIouThreshold().convertToDouble(), {n}, element);
    Value isLeft = b.make<TakeOp>(left, round, builder.getI64IntegerAttr(0), builder.getUnitAttr());
    Value covered =
        b.make<LogicalAndOp>(b.make<GtOp>(share, threshold), b.make<GtOp>(index, v.spread(round)));
    Value goes = b.make<LogicalAndOp>(covered, v.spread(isLeft));
    Value stays = b.make<LogicalAndOp>(left, b.make<NotOp>(goes));
    YieldOp::create(builder, loc, ValueRange{stays});
  }
  auto find = FindOp::create(builder, loc, scan.getResult(0));
  Value counts = b.make<LtOp>(index, v.spread(find.getCount()));
  Value kept = b.make<WhereOp>(counts, v.take(order, find.getPositions()), v.number(0));
  return {kept, find.getCount()};
}

//===----------------------------------------------------------------------===//
// bind
//===----------------------------------------------------------------------===//

LogicalResult BindOp::verify() {
  Type type = getCount().getType();
  if (dtypeOf(type) != DType::I64 || !dimsOf(type).empty()) // bind-c1
    return emitOpError("expected an i64 scalar, got ") << typeText(type);
  if (getMost().getDims().size() != 1) // bind-c2
    return emitOpError("expected one polynomial in 'most'");
  auto function = (*this)->getParentOfType<FunctionOpInterface>();
  if (function && !declaredBounds(function).count(getSymbol().str())) // bind-c3
    return emitOpError("binds '") << getSymbol() << "', which the function does not declare";
  return success();
}
