//===- Contraction.cpp - matrix products ---------------------------------===//

#include "ir/ops/Common.h"

#include "mlir/IR/PatternMatch.h"

#include <cstring>

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

namespace {
/// What a product of matrices is about; B is read as [K, N] by its strides.
struct ProductShape {
  ProductShape(const Tensor &a, const Tensor &b, bool transposeB, const Tensor &c) {
    size_t rank = a.shape.size();
    m = a.shape[rank - 2], k = a.shape[rank - 1], n = c.shape[rank - 1];
    strideK = transposeB ? 1 : n, strideN = transposeB ? k : 1;
    for (size_t i = 0; i + 2 < rank; ++i)
      batches *= a.shape[i];
    if (b.shape.size() == 2) { // all rows read it
      m *= batches;
      batches = 1;
    }
  }
  int64_t batches = 1, m, k, n, strideK, strideN;
};
} // namespace

/// One batch. Columns are summed several at a time, which keeps the processor busy; each sum adds
/// up by k.
static void multiply(const double *a, const double *b, double *c, const ProductShape &shape) {
  using Pair [[gnu::vector_size(16)]] = double;
  constexpr int64_t pairs = 8, lanes = 2 * pairs;
  auto [batches, m, k, n, strideK, strideN] = shape;
  std::vector<Pair> panel(k * pairs);
  for (int64_t first = 0; first < n; first += lanes) {
    int64_t count = std::min(lanes, n - first);
    for (int64_t i = 0; i < k; ++i)
      for (int64_t lane = 0; lane < count; ++lane)
        panel[i * pairs + lane / 2][lane % 2] = b[(first + lane) * strideN + i * strideK];
    for (int64_t row = 0; row < m; ++row) {
      Pair sums[pairs] = {};
      for (int64_t i = 0; i < k; ++i)
#pragma GCC unroll 8
        for (int64_t pair = 0; pair < pairs; ++pair)
          sums[pair] += a[row * k + i] * panel[i * pairs + pair];
      double values[lanes];
      std::memcpy(values, sums, sizeof(values));
      std::copy_n(values, count, c + row * n + first);
    }
  }
}

/// Of integers, which wrap.
static void multiply(const int64_t *a, const int64_t *b, int64_t *c, const ProductShape &shape) {
  auto [batches, m, k, n, strideK, strideN] = shape;
  for (int64_t row = 0; row < m; ++row)
    for (int64_t j = 0; j < n; ++j) {
      uint64_t sum = 0;
      for (int64_t i = 0; i < k; ++i)
        sum += static_cast<uint64_t>(a[row * k + i]) *
               static_cast<uint64_t>(b[j * strideN + i * strideK]);
      c[row * n + j] = static_cast<int64_t>(sum);
    }
}

template <typename Number>
static void multiplyBatches(const std::vector<Number> &a, const std::vector<Number> &b,
                            std::vector<Number> &c, const ProductShape &shape) {
  for (int64_t batch = 0; batch < shape.batches; ++batch)
    multiply(a.data() + batch * shape.m * shape.k, b.data() + batch * shape.k * shape.n,
             c.data() + batch * shape.m * shape.n, shape);
}

static void evaluateProduct(const Tensor &a, const Tensor &b, bool transposeB, Tensor &c) {
  ProductShape shape(a, b, transposeB, c);
  if (a.isFloat())
    return multiplyBatches(a.floats, b.floats, c.floats, shape);
  if (byteSize(a.type) == 1 && byteSize(b.type) == 1) { // f64 is exact, and faster
    std::vector<double> sums(c.ints.size());
    multiplyBatches({a.ints.begin(), a.ints.end()}, {b.ints.begin(), b.ints.end()}, sums, shape);
    c.ints.assign(sums.begin(), sums.end());
  } else {
    multiplyBatches(a.ints, b.ints, c.ints, shape);
  }
  for (int64_t &value : c.ints)
    value = wrapTo(c.type, value);
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
