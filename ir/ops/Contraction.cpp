//===- Contraction.cpp - matrix products ---------------------------------===//

#include "ir/ops/Common.h"

#include "mlir/IR/PatternMatch.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

//===----------------------------------------------------------------------===//
// matmul and qmatmul
//===----------------------------------------------------------------------===//

/// The product of matrices of whatever types.
static LogicalResult inferProduct(MaybeLoc loc, StringRef op, Type ta, Type tb, bool transposeB,
                                  Type element, SmallVectorImpl<Type> &results) {
  SmallVector<DimExpr> a = dimsOf(ta), b = dimsOf(tb);
  bool sameBatch =
      a.size() == b.size() && a.size() >= 2 && std::equal(a.begin(), a.end() - 2, b.begin());
  if (a.size() < 2 || (b.size() != 2 && !sameBatch)) // matmul-c2
    return emitOptionalError(loc, "'", op, "' expected matrices with equal leading extents, got ",
                             typeText(ta), " and ", typeText(tb));
  DimExpr k = b[b.size() - (transposeB ? 1 : 2)], n = b[b.size() - (transposeB ? 2 : 1)];
  if (a.back() != k) // matmul-c3
    return emitOptionalError(loc, "'", op, "' expected equal inner extents, got ", typeText(ta),
                             " and ", typeText(tb), ": '", a.back().str(), "' is not '", k.str(),
                             "'");
  a.back() = n;
  results.push_back(tensorType(element, a));
  return success();
}

KILN_INFER(MatmulOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type a = op.getA().getType(), b = op.getB().getType();
  if (dtypeOf(a) != dtypeOf(b) || failed(requireDomain(std::nullopt, "matmul", a, Domain::Number)))
    return emitOptionalError(loc, "'matmul' expected numbers of one type, got ",
                             typeText(a), // matmul-c1
                             " and ", typeText(b));
  return inferProduct(loc, "matmul", a, b, op.getTransposeB(),
                      cast<RankedTensorType>(a).getElementType(), results);
}

KILN_INFER(QMatmulOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type a = op.getA().getType(), b = op.getB().getType();
  if ((dtypeOf(a) != DType::I8 && dtypeOf(a) != DType::U8) || dtypeOf(b) != DType::I8)
    return emitOptionalError(loc, "'qmatmul' expected i8 or u8, and i8, got ", typeText(a), " and ",
                             typeText(b)); // qmatmul-c1
  return inferProduct(loc, "qmatmul", a, b, op.getTransposeB(), IntegerType::get(context, 32),
                      results);
}

static void evaluateProduct(const Tensor &a, const Tensor &b, bool transposeB, Tensor &c) {
  size_t rank = a.shape.size();
  int64_t m = a.shape[rank - 2], k = a.shape[rank - 1], n = c.shape[rank - 1];
  int64_t batches = 1;
  for (size_t i = 0; i + 2 < rank; ++i)
    batches *= a.shape[i];
  int64_t bBatch = b.shape.size() == 2 ? 0 : k * n;
  int64_t strideK = transposeB ? 1 : n, strideN = transposeB ? k : 1;
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
}

KILN_EVALUATE(MatmulOp) {
  evaluateProduct(*operands[0], *operands[1], getTransposeB(), results[0]);
  return success();
}

KILN_EVALUATE(QMatmulOp) {
  evaluateProduct(*operands[0], *operands[1], getTransposeB(), results[0]);
  return success();
}

static DimExpr flopsOf(Type a, Type result) {
  return numElements(dimsOf(result)) * dimsOf(a).back() * DimExpr(2);
}

DimExpr MatmulOp::flops() { return flopsOf(getA().getType(), getType()); }
DimExpr QMatmulOp::flops() { return flopsOf(getA().getType(), getType()); }

namespace {
/// matmul(a, permute(b, swap of the last two)) reads b transposed.
template <typename Op> struct ReadTransposed : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    auto permute = op.getB().template getDefiningOp<PermuteOp>();
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
  patterns.add<ReadTransposed<MatmulOp>>(context);
}

void QMatmulOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ReadTransposed<QMatmulOp>>(context);
}
