//===- Scatter.cpp - elements put at computed positions -------------------===//

#include "ir/Build.h"
#include "ir/ops/Common.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

using Dims = SmallVector<DimExpr>;

/// What happens where an element falls on another.
enum class Put { Replace, Add, Max, Min };

/// Whether element `from` of src is beyond element `to` of y: NaN is beyond all numbers.
static bool isBeyond(const Tensor &src, int64_t from, const Tensor &y, int64_t to, Put how) {
  if (!y.isFloat())
    return how == Put::Max ? src.ints[from] > y.ints[to] : src.ints[from] < y.ints[to];
  double a = src.floats[from], b = y.floats[to];
  return (std::isnan(a) && !std::isnan(b)) || (how == Put::Max ? a > b : a < b);
}

/// Puts element `from` of src on element `to` of y, whose floats are not rounded yet.
static void put(const Tensor &src, int64_t from, Tensor &y, int64_t to, Put how) {
  if (how == Put::Replace || (how != Put::Add && isBeyond(src, from, y, to, how)))
    return copyElement(src, from, y, to);
  if (how != Put::Add)
    return;
  if (y.isFloat())
    y.floats[to] += src.floats[from];
  else
    y.ints[to] = wrapTo(y.type, static_cast<int64_t>(static_cast<uint64_t>(y.ints[to]) +
                                                     static_cast<uint64_t>(src.ints[from])));
}

static LogicalResult refuse(MaybeLoc loc, StringRef name, const Twine &expected,
                            ValueRange operands) {
  std::string got;
  for (Value operand : operands)
    got += (got.empty() ? "" : ", ") + typeText(operand.getType());
  return emitOptionalError(loc, "'", name, "' expected ", expected, ", got ", got);
}

static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

//===----------------------------------------------------------------------===//
// index_copy, index_add, index_max, index_min
//===----------------------------------------------------------------------===//

static Dims slicesLike(ArrayRef<DimExpr> x, int64_t axis, const DimExpr &count) {
  Dims dims(x);
  dims[axis] = count;
  return dims;
}

static LogicalResult inferIndexWrite(MaybeLoc loc, StringRef name, Domain domain,
                                     ValueRange operands, int64_t axis,
                                     SmallVectorImpl<Type> &results) {
  Dims x = dimsOf(operands[0].getType()), indices = dimsOf(operands[1].getType());
  if (failed(requireDomain(loc, name, operands[1].getType(), Domain::Integer)) || // indexcopy-c1
      failed(requireDomain(loc, name, operands[0].getType(), domain))) // index{add,max,min}-c1
    return failure();
  if (indices.size() != 1 || axis < 0 || axis >= static_cast<int64_t>(x.size())) // …-c2
    return refuse(loc, name, "indices of one dimension and an axis of x", operands);
  if (elementOf(operands[0]) != elementOf(operands[2]) ||
      dimsOf(operands[2].getType()) != slicesLike(x, axis, indices[0])) // …-c3
    return refuse(loc, name, "as many slices of x's as there are indices", operands);
  results.push_back(operands[0].getType());
  return success();
}

static void alignSlices(MutableArrayRef<Dims> shapes, DictionaryAttr attributes,
                        AlignExtent require) {
  auto axis = attributes.getAs<IntegerAttr>("axis");
  if (!axis || axis.getInt() < 0 || axis.getInt() >= static_cast<int64_t>(shapes[0].size()) ||
      shapes[1].size() != 1 || shapes[2].size() != shapes[0].size())
    return;
  Dims wanted = slicesLike(shapes[0], axis.getInt(), shapes[1][0]);
  for (auto [i, extent] : llvm::enumerate(shapes[2]))
    if (!align(extent, wanted[i], "extent " + std::to_string(i) + " of 'src'", require))
      return;
}

static LogicalResult evaluateIndexWrite(Operation *op, ArrayRef<const Tensor *> operands, Tensor &y,
                                        int64_t axis, Put how) {
  const Tensor &x = *operands[0], &indices = *operands[1], &src = *operands[2];
  y.floats = x.floats, y.ints = x.ints;
  std::vector<int64_t> positions;
  for (int64_t index : indices.ints) {
    FailureOr<int64_t> position = positionOf(op, index, x.shape[axis]);
    if (failed(position))
      return failure();
    positions.push_back(*position);
  }
  auto to = y.strides();
  int64_t from = 0;
  forEachIndex(src.shape, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> target(index);
    target[axis] = positions[index[axis]];
    put(src, from++, y, linear(target, to), how);
  });
  return success();
}

#define KILN_INDEX_WRITE(Op, name, domain, how)                                                    \
  KILN_INFER(Op) {                                                                                 \
    Adaptor op(operands, attributes, properties, regions);                                         \
    return inferIndexWrite(loc, name, Domain::domain, operands, op.getAxis(), results);            \
  }                                                                                                \
  void Op::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr attributes,                    \
                       AlignExtent require) {                                                      \
    alignSlices(shapes, attributes, require);                                                      \
  }                                                                                                \
  KILN_EVALUATE(Op) { return evaluateIndexWrite(*this, operands, results[0], getAxis(), how); }
KILN_INDEX_WRITE(IndexCopyOp, "index_copy", Any, Put::Replace)
KILN_INDEX_WRITE(IndexAddOp, "index_add", Number, Put::Add)
KILN_INDEX_WRITE(IndexMaxOp, "index_max", Number, Put::Max)
KILN_INDEX_WRITE(IndexMinOp, "index_min", Number, Put::Min)

//===----------------------------------------------------------------------===//
// Positions in memory
//===----------------------------------------------------------------------===//

/// The row-major position of coordinates, built dimension by dimension from the outermost one.
namespace {
struct FlatPosition {
  Build b;
  ArrayRef<DimExpr> shape; ///< of the positions
  Value sum;

  Value number(const DimExpr &value) { return b.broadcast(b.make<ExtentOp>(b.dims(value)), shape); }
  void add(Value coordinate, const DimExpr &extent) {
    sum = sum ? b.make<AddOp>(b.make<MulOp>(sum, number(extent)), coordinate) : coordinate;
  }
  /// Coordinates that are read; the call ends where they are out of range.
  void addIndices(Value indices, const DimExpr &extent, StringRef subject) {
    assertInside(b, indices, extent, subject);
    indices = b.cast(indices, b.builder.getI64Type());
    Value isNegative = b.make<LtOp>(indices, b.full(0, shape, b.builder.getI64Type()));
    Value fromEnd = b.make<AddOp>(indices, number(extent));
    add(b.make<WhereOp>(isNegative, fromEnd, indices), extent);
  }
  /// The coordinate along a dimension of the positions themselves.
  void addOwn(size_t dim, const DimExpr &extent) {
    Value numbers =
        b.make<ArangeOp>(b.dims(shape[dim]), b.builder.getI64IntegerAttr(0),
                         b.builder.getI64IntegerAttr(1), TypeAttr::get(b.builder.getI64Type()));
    Dims alone(shape.size(), DimExpr(1));
    alone[dim] = shape[dim];
    add(b.broadcast(b.reshape(numbers, alone), shape), extent);
  }
};
} // namespace

/// Positions in the first dimensions of x from the last dimension of indices.
static Value positionsIn(const Build &b, ArrayRef<DimExpr> x, Value indices, int64_t batch,
                         StringRef subject) {
  Dims all = dimsOf(indices.getType()), shape = all;
  shape.pop_back();
  FlatPosition position = {b, shape, Value()};
  for (int64_t i = 0; i < batch; ++i)
    position.addOwn(i, x[i]);
  Dims starts(all.size(), DimExpr(0)), sizes = all;
  sizes.back() = DimExpr(1);
  SmallVector<int64_t> steps(all.size(), 1);
  for (int64_t j = 0, depth = *all.back().constantValue(); j < depth; ++j) {
    starts.back() = DimExpr(j);
    Value part = b.make<SliceOp>(indices, b.dims(starts), b.dims(sizes),
                                 b.builder.getDenseI64ArrayAttr(steps));
    position.addIndices(b.reshape(part, shape), x[batch + j], subject);
  }
  return position.sum;
}

/// x under the shape [first dimensions, rest].
static Dims flatShape(ArrayRef<DimExpr> x, size_t first) {
  Dims flat = {numElements(x.take_front(first))};
  llvm::append_range(flat, x.drop_front(first));
  return flat;
}

//===----------------------------------------------------------------------===//
// scatter, scatter_add, scatter_max, scatter_min
//===----------------------------------------------------------------------===//

static LogicalResult inferScatter(MaybeLoc loc, StringRef name, Domain domain, ValueRange operands,
                                  int64_t axis, SmallVectorImpl<Type> &results) {
  Dims x = dimsOf(operands[0].getType()), indices = dimsOf(operands[1].getType());
  if (failed(requireDomain(loc, name, operands[1].getType(), Domain::Integer)) || // scatter-c1
      failed(requireDomain(loc, name, operands[0].getType(), domain))) // scatter{add,max,min}-c1
    return failure();
  if (x.empty() || x.size() != indices.size() || axis < 0 ||
      axis >= static_cast<int64_t>(x.size())) // scatter…-c2
    return refuse(loc, name, "indices of x's rank and an axis of it", operands);
  if (elementOf(operands[0]) != elementOf(operands[2]) ||
      dimsOf(operands[2].getType()) != indices) // scatter…-c3
    return refuse(loc, name, "an element of x's type for each index", operands);
  for (size_t i = 0; i < x.size(); ++i)
    if (std::optional<int64_t> room = (x[i] - indices[i]).bounds({}).upper;
        static_cast<int64_t>(i) != axis && room && *room < 0) // scatter…-c4
      return emitOptionalError(loc, "'", name, "' expected at most ", x[i].str(),
                               " indices along axis ", i, ", got ", indices[i].str());
  results.push_back(operands[0].getType());
  return success();
}

static SmallVector<Requirement> scatterRequirements(Value x, Value indices, size_t axis) {
  Dims room = dimsOf(x.getType()), dims = dimsOf(indices.getType());
  SmallVector<Requirement> all;
  for (size_t i = 0; i < room.size(); ++i)
    if (i != axis)
      all.push_back({dims[i], Relation::AtMost, room[i],
                     "the number of indices along axis " + std::to_string(i)});
  return all;
}

static LogicalResult evaluateScatter(Operation *op, ArrayRef<const Tensor *> operands, Tensor &y,
                                     int64_t axis, Put how) {
  const Tensor &x = *operands[0], &indices = *operands[1];
  y.floats = x.floats, y.ints = x.ints;
  auto to = y.strides();
  LogicalResult result = success();
  int64_t from = 0;
  forEachIndex(indices.shape, [&](ArrayRef<int64_t> index) {
    FailureOr<int64_t> position = failure();
    if (succeeded(result))
      position = positionOf(op, indices.ints[from], x.shape[axis]);
    if (failed(position)) {
      result = failure();
      return;
    }
    SmallVector<int64_t> target(index);
    target[axis] = *position;
    put(*operands[2], from++, y, linear(target, to), how);
  });
  return result;
}

template <typename Write>
static SmallVector<Value> decomposeScatter(const Build &b, Value x, Value indices, Value src,
                                           int64_t axis, StringRef name) {
  Dims dims = dimsOf(x.getType()), shape = dimsOf(indices.getType());
  FlatPosition position = {b, shape, Value()};
  for (size_t i = 0; i < dims.size(); ++i)
    if (static_cast<int64_t>(i) == axis)
      position.addIndices(indices, dims[i], name);
    else
      position.addOwn(i, dims[i]);
  Dims count = {numElements(shape)};
  Value y =
      b.make<Write>(b.reshape(x, numElements(dims)), b.reshape(position.sum, count),
                    b.reshape(src, count), b.builder.getI64IntegerAttr(0), b.builder.getUnitAttr());
  return {b.reshape(y, dims)};
}

#define KILN_SCATTER(Op, name, domain, how, Write)                                                 \
  KILN_INFER(Op) {                                                                                 \
    Adaptor op(operands, attributes, properties, regions);                                         \
    return inferScatter(loc, name, Domain::domain, operands, op.getAxis(), results);               \
  }                                                                                                \
  void Op::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr, AlignExtent require) {        \
    alignToFirst(shapes.drop_front(), -1, require);                                                \
  }                                                                                                \
  SmallVector<Requirement> Op::getRequirements() {                                                 \
    return scatterRequirements(getX(), getIndices(), getAxis());                                   \
  }                                                                                                \
  SmallVector<Value> Op::decompose(OpBuilder &builder) {                                           \
    return decomposeScatter<Write>({builder, getLoc()}, getX(), getIndices(), getSrc(), getAxis(), \
                                   name);                                                          \
  }                                                                                                \
  KILN_EVALUATE(Op) { return evaluateScatter(*this, operands, results[0], getAxis(), how); }
KILN_SCATTER(ScatterOp, "scatter", Any, Put::Replace, IndexCopyOp)
KILN_SCATTER(ScatterAddOp, "scatter_add", Number, Put::Add, IndexAddOp)
KILN_SCATTER(ScatterMaxOp, "scatter_max", Number, Put::Max, IndexMaxOp)
KILN_SCATTER(ScatterMinOp, "scatter_min", Number, Put::Min, IndexMinOp)

//===----------------------------------------------------------------------===//
// scatter_nd, gather_nd
//===----------------------------------------------------------------------===//

/// How many dimensions the indices tell: a number from 1 to `most`.
static std::optional<int64_t> depthOf(ArrayRef<DimExpr> indices, int64_t most) {
  std::optional<int64_t> depth = indices.empty() ? std::nullopt : indices.back().constantValue();
  return depth && *depth >= 1 && *depth <= most ? depth : std::nullopt;
}

/// The shape of slices of x, one for each row of indices.
static Dims slicesShape(ArrayRef<DimExpr> x, ArrayRef<DimExpr> indices, int64_t told) {
  Dims dims(indices.drop_back());
  llvm::append_range(dims, x.drop_front(told));
  return dims;
}

/// Slices that rows of indices tell, by their first element's position in x.
static LogicalResult forEachSlice(Operation *op, const Tensor &x, const Tensor &indices,
                                  int64_t batch, function_ref<void(int64_t, int64_t)> visit) {
  int64_t depth = indices.shape.back(), row = 0;
  auto strides = x.strides();
  LogicalResult result = success();
  forEachIndex(ArrayRef(indices.shape).drop_back(), [&](ArrayRef<int64_t> index) {
    int64_t start = linear(index.take_front(batch), ArrayRef(strides).take_front(batch));
    for (int64_t j = 0; j < depth && succeeded(result); ++j) {
      FailureOr<int64_t> position =
          positionOf(op, indices.ints[row * depth + j], x.shape[batch + j]);
      if (failed(position))
        result = failure();
      else
        start += *position * strides[batch + j];
    }
    if (succeeded(result))
      visit(row++, start);
  });
  return result;
}

static int64_t sliceSize(const Tensor &x, int64_t told) {
  int64_t size = 1;
  for (int64_t extent : ArrayRef(x.shape).drop_front(told))
    size *= extent;
  return size;
}

KILN_INFER(ScatterNDOp) {
  if (failed(requireDomain(loc, "scatter_nd", operands[1].getType(), Domain::Integer)))
    return failure(); // scatternd-c1
  Dims x = dimsOf(operands[0].getType()), indices = dimsOf(operands[1].getType());
  std::optional<int64_t> depth = depthOf(indices, static_cast<int64_t>(x.size()));
  if (!depth) // scatternd-c2
    return refuse(loc, "scatter_nd", "from 1 to " + Twine(x.size()) + " indices in a row",
                  operands);
  if (elementOf(operands[0]) != elementOf(operands[2]) ||
      dimsOf(operands[2].getType()) != slicesShape(x, indices, *depth)) // scatternd-c3
    return refuse(loc, "scatter_nd", "a slice of x's for each row of indices", operands);
  results.push_back(operands[0].getType());
  return success();
}

void ScatterNDOp::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr, AlignExtent require) {
  std::optional<int64_t> depth = depthOf(shapes[1], static_cast<int64_t>(shapes[0].size()));
  if (!depth)
    return;
  Dims wanted = slicesShape(shapes[0], shapes[1], *depth);
  if (wanted.size() != shapes[2].size())
    return;
  for (auto [i, extent] : llvm::enumerate(shapes[2]))
    if (!align(extent, wanted[i], "extent " + std::to_string(i) + " of 'src'", require))
      return;
}

KILN_EVALUATE(ScatterNDOp) {
  const Tensor &x = *operands[0], &indices = *operands[1], &src = *operands[2];
  Tensor &y = results[0];
  y.floats = x.floats, y.ints = x.ints;
  int64_t size = sliceSize(x, indices.shape.back());
  return forEachSlice(*this, x, indices, 0, [&](int64_t row, int64_t start) {
    for (int64_t k = 0; k < size; ++k)
      copyElement(src, row * size + k, y, start + k);
  });
}

SmallVector<Value> ScatterNDOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Dims x = dimsOf(getX().getType()), indices = dimsOf(getIndices().getType());
  int64_t depth = *indices.back().constantValue();
  Value positions = positionsIn(b, x, getIndices(), 0, "scatter_nd");
  DimExpr count = numElements(dimsOf(positions.getType()));
  Dims flat = flatShape(x, depth);
  Value y = b.make<IndexCopyOp>(b.reshape(getX(), flat), b.reshape(positions, count),
                                b.reshape(getSrc(), slicesLike(flat, 0, count)),
                                builder.getI64IntegerAttr(0), builder.getUnitAttr());
  return {b.reshape(y, x)};
}

KILN_INFER(GatherNDOp) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(requireDomain(loc, "gather_nd", operands[1].getType(), Domain::Integer)))
    return failure(); // gathernd-c1
  Dims x = dimsOf(operands[0].getType()), indices = dimsOf(operands[1].getType());
  int64_t batch = static_cast<int64_t>(op.getBatchDims()),
          rank = static_cast<int64_t>(indices.size());
  std::optional<int64_t> depth = depthOf(indices, static_cast<int64_t>(x.size()) - batch);
  if (batch < 0 || batch >= rank || !depth) // gathernd-c2
    return refuse(loc, "gather_nd",
                  "batch dimensions of both and a number of indices of x in a row", operands);
  if (ArrayRef(x).take_front(batch) != ArrayRef(indices).take_front(batch)) // gathernd-c3
    return refuse(loc, "gather_nd", "the same batch dimensions", operands);
  results.push_back(tensorType(elementOf(operands[0]), slicesShape(x, indices, batch + *depth)));
  return success();
}

void GatherNDOp::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr attributes,
                             AlignExtent require) {
  auto batch = attributes.getAs<IntegerAttr>("batch_dims");
  for (int64_t i = 0; batch && i < batch.getInt(); ++i)
    if (i >= static_cast<int64_t>(std::min(shapes[0].size(), shapes[1].size())) ||
        !align(shapes[1][i], shapes[0][i], "extent " + std::to_string(i) + " of 'indices'",
               require))
      return;
}

KILN_EVALUATE(GatherNDOp) {
  const Tensor &x = *operands[0], &indices = *operands[1];
  int64_t batch = static_cast<int64_t>(getBatchDims());
  int64_t size = sliceSize(x, batch + indices.shape.back());
  return forEachSlice(*this, x, indices, batch, [&](int64_t row, int64_t start) {
    for (int64_t k = 0; k < size; ++k)
      copyElement(x, start + k, results[0], row * size + k);
  });
}

SmallVector<Value> GatherNDOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Dims x = dimsOf(getX().getType());
  int64_t batch = static_cast<int64_t>(getBatchDims()),
          told = batch + *dimsOf(getIndices().getType()).back().constantValue();
  Value positions = positionsIn(b, x, getIndices(), batch, "gather_nd");
  return {b.make<TakeOp>(b.reshape(getX(), flatShape(x, told)), positions,
                         builder.getI64IntegerAttr(0), builder.getUnitAttr())};
}
