//===- Sparse.cpp - products with weights of many zeros -------------------===//

#include "ir/ops/Common.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

static DimExpr blocksOf(const DimExpr &rows, int64_t block) {
  return DimExpr::floorDiv(rows + DimExpr(block - 1), DimExpr(block));
}

KILN_INFER(SparseMatmulOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type x = op.getX().getType(), weight = op.getWeight().getType(),
       positions = op.getPositions().getType();
  if (dtypeOf(x) != dtypeOf(weight) ||
      failed(requireDomain(std::nullopt, "sparse_matmul", x, Domain::Number)) ||
      failed(requireDomain(std::nullopt, "sparse_matmul", positions,
                           Domain::Integer))) // sparse_matmul-c1
    return emitOptionalError(
        loc, "'sparse_matmul' expected numbers of one type, and positions in integers, got ",
        typeText(x), ", ", typeText(weight), " and ", typeText(positions));
  SmallVector<DimExpr> dims = dimsOf(x), w = dimsOf(weight), p = dimsOf(positions);
  bool hasRank = op.getColumns() ? dims.size() == 2 : !dims.empty();
  if (!hasRank || w.size() != 2 || p.size() != 2) // sparse_matmul-c2
    return emitOptionalError(loc, "'sparse_matmul' expected weight and positions as matrices, and ",
                             op.getColumns() ? "x as one" : "x of one dimension at least", ", got ",
                             typeText(x), ", ", typeText(weight), " and ", typeText(positions));
  int64_t block = op.getBlock();
  if (block < 1) // sparse_matmul-c3
    return emitOptionalError(loc, "'sparse_matmul' expected a block of at least 1, got ", block);
  DimExpr blocks = blocksOf(w[0], block);
  if (p[0] != blocks || p[1] != w[1]) // sparse_matmul-c4
    return emitOptionalError(loc, "'sparse_matmul' expected positions [", blocks.str(), ", ",
                             w[1].str(), "], got ", typeText(positions));
  (op.getColumns() ? dims.front() : dims.back()) = w[0];
  results.push_back(tensorType(cast<RankedTensorType>(x).getElementType(), dims));
  return success();
}

void SparseMatmulOp::alignShapes(MutableArrayRef<SmallVector<DimExpr>> shapes,
                                 DictionaryAttr attributes, AlignExtent require) {
  auto attr = attributes.getAs<IntegerAttr>("block");
  int64_t block = attr ? attr.getInt() : 1;
  MutableArrayRef<DimExpr> weight = shapes[1], positions = shapes[2];
  if (weight.size() != 2 || positions.size() != 2 || block < 1)
    return;
  if (align(positions[1], weight[1], "the columns of positions", require))
    align(positions[0], blocksOf(weight[0], block), "the rows of positions", require);
}

KILN_EVALUATE(SparseMatmulOp) {
  const Tensor &x = *operands[0], &weight = *operands[1], &positions = *operands[2];
  Tensor &y = results[0];
  int64_t rows = weight.shape[0], kept = weight.shape[1], block = getBlock();
  int64_t depth = getColumns() ? x.shape.front() : x.shape.back();
  std::vector<int64_t> from; // also where nothing is read by them
  for (int64_t index : positions.ints) {
    FailureOr<int64_t> position = positionOf(*this, index, depth);
    if (failed(position))
      return failure();
    from.push_back(*position);
  }
  // Vectors are rows of x, or its columns.
  int64_t vectors = getColumns() ? x.shape[1] : 1;
  for (size_t i = 0; !getColumns() && i + 1 < x.shape.size(); ++i)
    vectors *= x.shape[i];
  auto at = [&](int64_t vector, int64_t i, int64_t length) {
    return getColumns() ? i * vectors + vector : vector * length + i;
  };
  for (int64_t vector = 0; vector < vectors; ++vector)
    for (int64_t n = 0; n < rows; ++n) {
      double sum = 0;
      uint64_t exact = 0;
      for (int64_t r = 0; r < kept; ++r) {
        int64_t left = at(vector, from[n / block * kept + r], depth), right = n * kept + r;
        if (x.isFloat())
          sum += x.floats[left] * weight.floats[right];
        else
          exact += static_cast<uint64_t>(x.ints[left]) * static_cast<uint64_t>(weight.ints[right]);
      }
      if (x.isFloat())
        y.floats[at(vector, n, rows)] = sum;
      else
        y.ints[at(vector, n, rows)] = wrapTo(y.type, static_cast<int64_t>(exact));
    }
  return success();
}

DimExpr SparseMatmulOp::flops() {
  return numElements(dimsOf(getType())) * dimsOf(getWeight().getType())[1] * DimExpr(2);
}
