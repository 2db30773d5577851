//===- Contraction.cpp - matrix products and convolutions -----------------===//

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

//===----------------------------------------------------------------------===//
// conv2d
//===----------------------------------------------------------------------===//

/// Positions of channel, height and width in an image, and of the same in a weight.
namespace {
struct ImageAxes {
  int c, h, w;
};
} // namespace
static ImageAxes imageAxes(bool channelsLast) {
  return channelsLast ? ImageAxes{3, 1, 2} : ImageAxes{1, 2, 3};
}

static LogicalResult checkConvAttributes(MaybeLoc loc, ArrayRef<int64_t> stride,
                                         ArrayRef<DimExpr> padding, ArrayRef<int64_t> dilation) {
  bool ok = stride.size() == 2 && dilation.size() == 2 && padding.size() == 4;
  for (int64_t v : stride)
    ok &= v > 0;
  for (int64_t v : dilation)
    ok &= v > 0;
  for (const DimExpr &v : padding) {
    std::optional<int64_t> lower = v.bounds({}).lower;
    ok &= !v.isConstant() || (lower && *lower >= 0);
  }
  if (!ok) // conv2d-c3
    return emitOptionalError(
        loc,
        "'conv2d' expected two positive strides and dilations and four paddings of at least 0");
  return success();
}

KILN_INFER(Conv2dOp) {
  Adaptor op(operands, attributes, properties, regions);
  Type tx = op.getX().getType(), tw = op.getWeight().getType();
  SmallVector<DimExpr> x = dimsOf(tx), w = dimsOf(tw);
  if (x.size() != 4 || w.size() != 4 || dtypeOf(tx) != dtypeOf(tw) ||
      !isFloat(*dtypeOf(tx))) // conv2d-c1
    return emitOptionalError(
        loc, "'conv2d' expected an image and a weight of four dimensions and one float type, got ",
        typeText(tx), " and ", typeText(tw));
  SmallVector<DimExpr> padding = op.getPadding().getDims();
  if (failed(checkConvAttributes(loc, op.getStride(), padding, op.getDilation())))
    return failure();
  ImageAxes axes = imageAxes(op.getChannelsLast());
  int64_t groups = op.getGroups();
  std::optional<int64_t> outputs = w[0].constantValue();
  if (groups < 1 || x[axes.c] != w[axes.c] * DimExpr(groups) ||
      (outputs && *outputs % groups)) // conv2d-c2
    return emitOptionalError(loc, "'conv2d' expected ", x[axes.c].str(), " channels in ", groups,
                             " group(s), got the weight ", typeText(tw), " for the image ",
                             typeText(tx));
  if (op.getBias()) {
    Type tb = op.getBias().getType();
    SmallVector<DimExpr> b = dimsOf(tb);
    if (b.size() != 1 || b[0] != w[0] || dtypeOf(tb) != dtypeOf(tx)) // conv2d-c5
      return emitOptionalError(loc, "'conv2d' expected a bias of ", w[0].str(), " elements, got ",
                               typeText(tb));
  }
  SmallVector<DimExpr> y = x;
  y[axes.c] = w[0];
  int spatial[2] = {axes.h, axes.w};
  for (int i = 0; i < 2; ++i) {
    int axis = spatial[i];
    DimExpr room = x[axis] + padding[2 * i] + padding[2 * i + 1] -
                   (w[axis] - DimExpr(1)) * DimExpr(op.getDilation()[i]) - DimExpr(1);
    std::optional<int64_t> value = room.constantValue();
    if (value && *value < 0) // conv2d-c4
      return emitOptionalError(loc, "'conv2d' expected a kernel within the padded image, got ",
                               typeText(tw), " on ", typeText(tx));
    y[axis] = DimExpr::floorDiv(room, DimExpr(op.getStride()[i])) + DimExpr(1);
  }
  results.push_back(tensorType(cast<RankedTensorType>(tx).getElementType(), y));
  return success();
}

SmallVector<Requirement> Conv2dOp::getRequirements() {
  SmallVector<Requirement> all;
  SmallVector<DimExpr> x = dimsOf(getX().getType()), w = dimsOf(getWeight().getType()),
                       padding = getPadding().getDims();
  ImageAxes axes = imageAxes(getChannelsLast());
  for (int i = 0; i < 2; ++i) {
    int axis = i ? axes.w : axes.h;
    for (const DimExpr &border : {padding[2 * i], padding[2 * i + 1]})
      all.push_back({border, Relation::AtLeast, 0, "a padding"}); // conv2d-c3
    DimExpr reach = (w[axis] - DimExpr(1)) * DimExpr(getDilation()[i]) + DimExpr(1);
    all.push_back(
        {x[axis] + padding[2 * i] + padding[2 * i + 1], Relation::AtLeast, reach,
         i ? "the width of the padded image" : "the height of the padded image"}); // conv2d-c4
  }
  return all;
}

void Conv2dOp::alignShapes(MutableArrayRef<SmallVector<DimExpr>> shapes, DictionaryAttr attributes,
                           AlignExtent require) {
  auto groups = attributes.getAs<IntegerAttr>("groups");
  if (!groups || shapes[0].size() != 4 || shapes[1].size() != 4)
    return;
  bool ok = align(shapes[0][1], shapes[1][1] * DimExpr(groups.getInt()), "the number of channels",
                  require);
  if (ok && shapes.size() > 2 && shapes[2].size() == 1)
    align(shapes[2][0], shapes[1][0], "the number of biases", require);
}

KILN_EVALUATE(Conv2dOp) {
  const Tensor &x = *operands[0], &w = *operands[1];
  const Tensor *bias = operands.size() > 2 ? operands[2] : nullptr;
  Tensor &y = results[0];
  ImageAxes ax = imageAxes(getChannelsLast());
  auto xs = x.strides(), ws = w.strides(), ys = y.strides();
  auto pad = evaluation.values(getPadding().getDims());
  int64_t outPerGroup = w.shape[0] / getGroups(), channels = w.shape[ax.c];
  int64_t kh = w.shape[ax.h], kw = w.shape[ax.w];
  for (int64_t n = 0; n < y.shape[0]; ++n)
    for (int64_t o = 0; o < y.shape[ax.c]; ++o)
      for (int64_t i = 0; i < y.shape[ax.h]; ++i)
        for (int64_t j = 0; j < y.shape[ax.w]; ++j) {
          double sum = bias ? bias->floats[o] : 0;
          int64_t firstChannel = o / outPerGroup * channels;
          for (int64_t p = 0; p < kh; ++p)
            for (int64_t q = 0; q < kw; ++q) {
              int64_t row = i * getStride()[0] + p * getDilation()[0] - pad[0];
              int64_t column = j * getStride()[1] + q * getDilation()[1] - pad[2];
              const double *pw = &w.floats[o * ws[0] + p * ws[ax.h] + q * ws[ax.w]];
              if (row < 0 || row >= x.shape[ax.h] || column < 0 || column >= x.shape[ax.w]) {
                for (int64_t c = 0; c < channels; ++c)
                  sum += 0 * pw[c * ws[ax.c]]; // NaN where the weight is not finite
                continue;
              }
              const double *px = &x.floats[n * xs[0] + firstChannel * xs[ax.c] + row * xs[ax.h] +
                                           column * xs[ax.w]];
              for (int64_t c = 0; c < channels; ++c)
                sum += px[c * xs[ax.c]] * pw[c * ws[ax.c]];
            }
          y.floats[n * ys[0] + o * ys[ax.c] + i * ys[ax.h] + j * ys[ax.w]] = sum;
        }
  return success();
}

DimExpr Conv2dOp::flops() {
  SmallVector<DimExpr> w = dimsOf(getWeight().getType());
  w[0] = DimExpr(2);
  return numElements(dimsOf(getType())) * numElements(w);
}
