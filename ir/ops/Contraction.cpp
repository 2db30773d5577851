//===- Contraction.cpp - matrix products ---------------------------------===//

#include "ir/ops/Common.h"

#include "mlir/IR/PatternMatch.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

//===----------------------------------------------------------------------===//
// matmul
//===----------------------------------------------------------------------===//

KILN_INFER(MatmulOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type ta = op.getA().getType(), tb = op.getB().getType();
  SmallVector<DimExpr> a = dimsOf(ta), b = dimsOf(tb);
  if (dtypeOf(ta) != dtypeOf(tb) ||
      failed(requireDomain(std::nullopt, "matmul", ta, Domain::Number)))
    return emitOptionalError(loc, "'matmul' expected numbers of one type, got ",
                             typeText(ta), // matmul-c1
                             " and ", typeText(tb));
  bool sameBatch =
      a.size() == b.size() && a.size() >= 2 && std::equal(a.begin(), a.end() - 2, b.begin());
  if (a.size() < 2 || (b.size() != 2 && !sameBatch)) // matmul-c2
    return emitOptionalError(loc, "'matmul' expected matrices with equal leading extents, got ",
                             typeText(ta), " and ", typeText(tb));
  DimExpr k = b[b.size() - (op.getTransposeB() ? 1 : 2)],
          n = b[b.size() - (op.getTransposeB() ? 2 : 1)];
  if (a.back() != k) // matmul-c3
    return emitOptionalError(loc, "'matmul' expected equal inner extents, got ", typeText(ta),
                             " and ", typeText(tb), ": '", a.back().str(), "' is not '", k.str(),
                             "'");
  a.back() = n;
  results.push_back(tensorType(cast<RankedTensorType>(ta).getElementType(), a));
  return success();
}

KILN_EVALUATE(MatmulOp) {
  const Tensor &a = *operands[0], &b = *operands[1];
  Tensor &c = results[0];
  size_t rank = a.shape.size();
  int64_t m = a.shape[rank - 2], k = a.shape[rank - 1], n = c.shape[rank - 1];
  int64_t batches = 1;
  for (size_t i = 0; i + 2 < rank; ++i)
    batches *= a.shape[i];
  int64_t bBatch = b.shape.size() == 2 ? 0 : k * n;
  int64_t strideK = getTransposeB() ? 1 : n, strideN = getTransposeB() ? k : 1;
  for (int64_t row = 0; row < batches * m; ++row)
    for (int64_t j = 0; j < n; ++j) {
      int64_t at = row * k, bt = (row / m) * bBatch + j * strideN;
      double sum = 0;
      uint64_t exact = 0;
      for (int64_t i = 0; i < k; ++i) {
        if (a.isFloat())
          sum += a.floats[at + i] * b.floats[bt + i * strideK];
        else
          exact += static_cast<uint64_t>(a.ints[at + i]) *
                   static_cast<uint64_t>(b.ints[bt + i * strideK]);
      }
      if (a.isFloat())
        c.floats[row * n + j] = sum;
      else
        c.ints[row * n + j] = wrapTo(c.type, static_cast<int64_t>(exact));
    }
  return success();
}

DimExpr MatmulOp::flops() {
  SmallVector<DimExpr> a = dimsOf(getA().getType());
  return numElements(dimsOf(getType())) * a.back() * DimExpr(2);
}

namespace {
/// matmul(a, permute(b, swap of the last two)) reads b transposed.
struct ReadTransposed : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    auto permute = op.getB().getDefiningOp<PermuteOp>();
    if (!permute)
      return failure();
    ArrayRef<int64_t> axes = permute.getAxes();
    int64_t rank = axes.size();
    for (int64_t i = 0; i < rank; ++i)
      if (axes[i] != (i == rank - 1 ? rank - 2 : i == rank - 2 ? rank - 1 : i))
        return failure();
    rewriter.modifyOpInPlace(op, [&] {
      op.getBMutable().assign(permute.getX());
      op.setTransposeB(!op.getTransposeB());
    });
    return success();
  }
};
} // namespace

void MatmulOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ReadTransposed>(context);
}
