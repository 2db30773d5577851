//===- Indexing.cpp - elements at computed positions ----------------------===//

#include "ir/Build.h"
#include "ir/ops/Common.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

FailureOr<int64_t> ir::positionOf(Operation *op, int64_t index, int64_t n) {
  int64_t position = index < 0 ? index + n : index;
  if (position < 0 || position >= n)
    return op->emitError("an index is out of range: expected -")
               << n << " to " << n - 1 << ", got " << index,
           failure();
  return position;
}

void ir::assertInside(const Build &b, Value indices, const DimExpr &extent, StringRef subject) {
  OpBuilder &builder = b.builder;
  indices = b.cast(indices, builder.getI64Type());
  SmallVector<DimExpr> shape = dimsOf(indices.getType());
  Value count = b.make<ExtentOp>(b.dims(extent));
  Value least = b.make<ExtentOp>(b.dims(-extent));
  Value notBelow = b.make<GeOp>(indices, b.broadcast(least, shape));
  Value isBelow = b.make<LtOp>(indices, b.broadcast(count, shape));
  Value isInside = b.make<LogicalAndOp>(notBelow, isBelow);
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, shape.size()));
  if (!axes.empty())
    isInside =
        b.make<AllOp>(isInside, builder.getDenseI64ArrayAttr(axes), builder.getBoolAttr(false));
  AssertOp::create(builder, b.loc, isInside, builder.getStringAttr(subject));
}

//===----------------------------------------------------------------------===//
// take
//===----------------------------------------------------------------------===//

KILN_INFER(TakeOp) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(requireDomain(loc, "take", operands[1].getType(), Domain::Integer))) // take-c1
    return failure();
  SmallVector<DimExpr> dims = dimsOf(operands[0].getType());
  int64_t axis = op.getAxis();
  if (axis < 0 || axis >= static_cast<int64_t>(dims.size())) // take-c2
    return emitOptionalError(loc, "'take' expected an axis of ", typeText(operands[0].getType()),
                             ", got ", axis);
  SmallVector<DimExpr> indices = dimsOf(operands[1].getType());
  dims.erase(dims.begin() + axis);
  dims.insert(dims.begin() + axis, indices.begin(), indices.end());
  results.push_back(
      tensorType(cast<RankedTensorType>(operands[0].getType()).getElementType(), dims));
  return success();
}

KILN_EVALUATE(TakeOp) {
  const Tensor &x = *operands[0], &indices = *operands[1];
  Tensor &y = results[0];
  size_t axis = getAxis(), rank = indices.shape.size();
  auto from = x.strides(), at = indices.strides(), to = y.strides();
  std::vector<int64_t> positions; // also where nothing is read by them
  for (int64_t index : indices.ints) {
    FailureOr<int64_t> position = positionOf(*this, index, x.shape[axis]);
    if (failed(position))
      return failure();
    positions.push_back(*position);
  }
  forEachIndex(y.shape, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> source(index.take_front(axis));
    source.push_back(positions[linear(index.slice(axis, rank), at)]);
    llvm::append_range(source, index.drop_front(axis + rank));
    copyElement(x, linear(source, from), y, linear(index, to));
  });
  return success();
}

//===----------------------------------------------------------------------===//
// gather
//===----------------------------------------------------------------------===//

KILN_INFER(GatherOp) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(requireDomain(loc, "gather", operands[1].getType(), Domain::Integer))) // gather-c1
    return failure();
  SmallVector<DimExpr> x = dimsOf(operands[0].getType()), dims = dimsOf(operands[1].getType());
  int64_t axis = op.getAxis();
  if (x.empty() || x.size() != dims.size() || axis < 0 || // gather-c2
      axis >= static_cast<int64_t>(x.size()))
    return emitOptionalError(loc, "'gather' expected indices of x's rank and an axis of it, got ",
                             typeText(operands[0].getType()), ", ", typeText(operands[1].getType()),
                             " and ", axis);
  for (size_t i = 0; i < x.size(); ++i)
    if (std::optional<int64_t> room = (x[i] - dims[i]).bounds({}).upper; // gather-c3
        static_cast<int64_t>(i) != axis && room && *room < 0)
      return emitOptionalError(loc, "'gather' expected at most ", x[i].str(),
                               " indices along axis ", i, ", got ", dims[i].str());
  results.push_back(
      tensorType(cast<RankedTensorType>(operands[0].getType()).getElementType(), dims));
  return success();
}

SmallVector<Requirement> GatherOp::getRequirements() {
  SmallVector<DimExpr> x = dimsOf(getX().getType()), dims = dimsOf(getIndices().getType());
  SmallVector<Requirement> all;
  for (size_t i = 0; i < x.size(); ++i)
    if (i != getAxis())
      all.push_back({dims[i], Relation::AtMost, x[i],
                     "the number of indices along axis " + std::to_string(i)});
  return all;
}

KILN_EVALUATE(GatherOp) {
  const Tensor &x = *operands[0], &indices = *operands[1];
  auto from = x.strides(), to = results[0].strides();
  LogicalResult result = success();
  forEachIndex(indices.shape, [&](ArrayRef<int64_t> index) {
    int64_t target = linear(index, to);
    FailureOr<int64_t> position = positionOf(*this, indices.ints[target], x.shape[getAxis()]);
    if (failed(result) || failed(position)) {
      result = failure();
      return;
    }
    SmallVector<int64_t> source(index);
    source[getAxis()] = *position;
    copyElement(x, linear(source, from), results[0], target);
  });
  return result;
}

//===----------------------------------------------------------------------===//
// embedding, one_hot
//===----------------------------------------------------------------------===//

KILN_INFER(EmbeddingOp) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(
          requireDomain(loc, "embedding", operands[0].getType(), Domain::Integer))) // embedding-c1
    return failure();
  SmallVector<DimExpr> table = dimsOf(operands[1].getType()), dims = dimsOf(operands[0].getType());
  if (table.size() != 2) // embedding-c2
    return emitOptionalError(loc, "'embedding' expected a table of two dimensions, got ",
                             typeText(operands[1].getType()));
  dims.push_back(table[1]);
  results.push_back(
      tensorType(cast<RankedTensorType>(operands[1].getType()).getElementType(), dims));
  return success();
}

SmallVector<Value> EmbeddingOp::decompose(OpBuilder &builder) {
  return {TakeOp::create(builder, getLoc(), getWeight(), getIndices(), builder.getI64IntegerAttr(0),
                         UnitAttr())};
}

KILN_EVALUATE(EmbeddingOp) {
  const Tensor &indices = *operands[0], &table = *operands[1];
  int64_t width = table.shape[1];
  for (size_t i = 0; i < indices.ints.size(); ++i) {
    FailureOr<int64_t> row = positionOf(*this, indices.ints[i], table.shape[0]);
    if (failed(row))
      return failure();
    for (int64_t k = 0; k < width; ++k)
      copyElement(table, *row * width + k, results[0], static_cast<int64_t>(i) * width + k);
  }
  return success();
}

KILN_INFER(OneHotOp) {
  Adaptor op(operands, attributes, properties, regions);
  SmallVector<DimExpr> dims = dimsOf(operands[0].getType());
  dims.push_back(op.getDepth().getDims()[0]);
  Type type = tensorType(op.getDtype(), dims);
  if (failed(requireDomain(loc, "one_hot", operands[0].getType(), Domain::Integer)) || // onehot-c1
      failed(requireDomain(loc, "one_hot", type, Domain::Number)))                     // onehot-c2
    return failure();
  results.push_back(type);
  return success();
}

SmallVector<Value> OneHotOp::decompose(OpBuilder &builder) {
  Value rows = EyeOp::create(builder, getLoc(), getDepthAttr(), getDtypeAttr());
  return {TakeOp::create(builder, getLoc(), rows, getIndices(), builder.getI64IntegerAttr(0),
                         UnitAttr())};
}

KILN_EVALUATE(OneHotOp) {
  const Tensor &indices = *operands[0];
  Tensor &y = results[0];
  int64_t depth = y.shape.back();
  for (size_t i = 0; i < indices.ints.size(); ++i) {
    FailureOr<int64_t> position = positionOf(*this, indices.ints[i], depth);
    if (failed(position))
      return failure();
    int64_t at = static_cast<int64_t>(i) * depth + *position;
    y.isFloat() ? void(y.floats[at] = 1) : void(y.ints[at] = 1);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// assert
//===----------------------------------------------------------------------===//

LogicalResult AssertOp::verify() {
  Type type = getCondition().getType();
  if (dtypeOf(type) != DType::Bool || !dimsOf(type).empty()) // assert-c1
    return emitOpError("expected a bool scalar, got ") << typeText(type);
  return success();
}

KILN_EVALUATE(AssertOp) {
  if (!operands[0]->ints[0])
    return emitError("an index is out of range in '") << getSubject() << "'";
  return success();
}
