//===- Decompose.cpp - definitions in place of composite ops --------------===//
//
// Needs: any module of the dialect. Guarantees: no Decomposable op, batch norm, mean, variance or
// logsumexp; adaptive pooling only where an extent is no number. Reports: passed `batch-norm` where
// one went into a convolution.
//
//===----------------------------------------------------------------------===//

#include "passes/Build.h"
#include "passes/Passes.h"
#include "passes/simplify/GuardIndices.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <limits>

using namespace mlir;
using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;

namespace kiln::passes {
#define GEN_PASS_DEF_DECOMPOSE
#include "passes/Passes.h.inc"
} // namespace kiln::passes

namespace {
using Dims = SmallVector<DimExpr>;

/// The composite's own definition.
struct UseDefinition : OpInterfaceRewritePattern<Decomposable> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(Decomposable op, PatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, op.decompose(rewriter));
    return success();
  }
};

/// Mean with the axes kept as 1, of any float type; sums of short floats are taken in f32.
Value buildMean(const Build &b, Value x, ArrayRef<int64_t> axes) {
  Type element = b.elementOf(x);
  Type wide = element.getIntOrFloatBitWidth() < 32 ? b.builder.getF32Type() : element;
  Dims dims = dimsOf(x.getType());
  DimExpr count = 1;
  for (int64_t axis : axes)
    count = count * dims[axis];
  Value sum = b.make<SumOp>(b.cast(x, wide), b.builder.getDenseI64ArrayAttr(axes),
                            b.builder.getBoolAttr(true));
  Dims kept = dimsOf(sum.getType());
  Value mean;
  if (std::optional<int64_t> n = count.constantValue())
    mean = b.make<MulOp>(sum, b.full(1.0 / static_cast<double>(*n), kept, wide));
  else
    mean = b.make<DivOp>(sum, b.broadcast(b.cast(b.make<ExtentOp>(b.dims(count)), wide), kept));
  return b.cast(mean, element);
}

struct ExpandMean : OpRewritePattern<MeanOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MeanOp op, PatternRewriter &rewriter) const override {
    Build b{rewriter, op.getLoc()};
    rewriter.replaceOp(op, b.reshape(buildMean(b, op.getX(), op.getAxis()), dimsOf(op.getType())));
    return success();
  }
};

/// Composites of narrow floats in f32: between the ops of their definitions nothing is rounded to
/// fewer bits.
template <typename Op> struct Widen : OpRewritePattern<Op> {
  Widen(MLIRContext *context) : OpRewritePattern<Op>(context, /*benefit=*/3) {}
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    auto type = llvm::cast<RankedTensorType>(op.getType());
    if (type.getElementType().getIntOrFloatBitWidth() >= 32)
      return failure();
    Build b{rewriter, op.getLoc()};
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(b.cast(operand, rewriter.getF32Type()));
    Operation *wide = rewriter.clone(*op);
    wide->setOperands(operands);
    wide->getResult(0).setType(type.clone(rewriter.getF32Type()));
    rewriter.replaceOp(op, b.cast(wide->getResult(0), type.getElementType()));
    return success();
  }
};

/// mean((d - mean(d))^2) where d = x - mean(x). In exact arithmetic mean(d) is 0; in floats it is
/// the error of mean(x), as large as the variance where x lies far from 0. Where it is not finite
/// it is not subtracted.
struct ExpandVariance : OpRewritePattern<VarOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(VarOp op, PatternRewriter &rewriter) const override {
    Build b{rewriter, op.getLoc()};
    Value x = op.getX();
    Dims dims = dimsOf(x.getType());
    Value difference = b.make<SubOp>(x, b.broadcast(buildMean(b, x, op.getAxis()), dims));
    Value error = buildMean(b, difference, op.getAxis());
    Dims kept = dimsOf(error.getType());
    Value infinity = b.full(std::numeric_limits<double>::infinity(), kept, b.elementOf(x));
    Value isFinite = b.make<LtOp>(b.make<AbsOp>(error), infinity);
    error = b.make<WhereOp>(isFinite, error, b.full(0, kept, b.elementOf(x)));
    Value centred = b.make<SubOp>(difference, b.broadcast(error, dims));
    Value square = b.make<MulOp>(centred, centred);
    rewriter.replaceOp(op, b.reshape(buildMean(b, square, op.getAxis()), dimsOf(op.getType())));
    return success();
  }
};

/// The value with a border of -inf along those of the axes that may be empty: its largest element
/// exists and is the value's.
Value notEmpty(const Build &b, Value x, ArrayRef<int64_t> axes) {
  Dims dims = dimsOf(x.getType()), border(2 * dims.size(), 0);
  DimExpr::BoundsMap bounds = enclosingBounds(b.builder.getBlock()->getParentOp());
  bool any = false;
  for (int64_t axis : axes) {
    std::optional<int64_t> least = dims[axis].bounds(bounds).lower;
    if (least && *least > 0)
      continue;
    border[2 * axis + 1] = 1;
    any = true;
  }
  return any ? b.pad(x, border, -std::numeric_limits<double>::infinity()) : x;
}

/// log(sum(exp(x - m))) + m, where m is the largest element, or 0 where that is infinite.
struct ExpandLogSumExp : OpRewritePattern<LogSumExpOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LogSumExpOp op, PatternRewriter &rewriter) const override {
    Build b{rewriter, op.getLoc()};
    Value x = op.getX();
    Type element = b.elementOf(x);
    Value top =
        b.make<MaxOp>(notEmpty(b, x, op.getAxis()), op.getAxisAttr(), rewriter.getBoolAttr(true));
    Dims kept = dimsOf(top.getType()), result = dimsOf(op.getType());
    Value size = b.make<AbsOp>(top);
    Value infinite =
        b.make<EqOp>(size, b.full(std::numeric_limits<double>::infinity(), kept, element));
    top = b.make<WhereOp>(infinite, b.full(0, kept, element), top);
    Value shifted = b.make<SubOp>(x, b.broadcast(top, dimsOf(x.getType())));
    Value sum = b.make<SumOp>(b.make<ExpOp>(shifted), op.getAxisAttr(), op.getKeepdimsAttr());
    Value logarithm = b.make<LogOp>(sum);
    rewriter.replaceOpWithNewOp<AddOp>(op, logarithm, b.reshape(top, result));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Adaptive pooling
//===----------------------------------------------------------------------===//

/// The reduction of all elements along axes, which are kept as 1.
using Reduce = function_ref<Value(const Build &, Value, ArrayRef<int64_t>)>;

Value buildMax(const Build &b, Value x, ArrayRef<int64_t> axes) {
  return b.make<MaxOp>(x, b.builder.getDenseI64ArrayAttr(axes), b.builder.getBoolAttr(true));
}

/// Reductions of the `parts` windows that cover one axis: windows overlap where they do not divide
/// it.
Value reduceParts(const Build &b, Value x, int64_t axis, int64_t parts, Reduce reduce) {
  Dims dims = dimsOf(x.getType());
  int64_t extent = *dims[axis].constantValue();
  SmallVector<Value> all;
  for (int64_t i = 0; i < parts; ++i) {
    int64_t begin = i * extent / parts, end = ((i + 1) * extent + parts - 1) / parts;
    Dims starts(dims.size(), 0), sizes = dims;
    starts[axis] = begin;
    sizes[axis] = end - begin;
    SmallVector<int64_t> steps(dims.size(), 1);
    Value part =
        b.make<SliceOp>(x, b.dims(starts), b.dims(sizes), b.builder.getDenseI64ArrayAttr(steps));
    all.push_back(reduce(b, part, axis));
  }
  return b.make<ConcatOp>(all, b.builder.getI64IntegerAttr(axis));
}

/// Pool is the pool of one window size.
template <typename Op, typename Pool> struct ExpandAdaptivePool : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    constexpr bool isMax = requires(Pool pool) { pool.getDilation(); };
    Reduce reduce = isMax ? buildMax : buildMean;
    Build b{rewriter, op.getLoc()};
    int64_t first = op.getChannelsLast() ? 1 : 2;
    ArrayRef<int64_t> size = op.getOutputSize();
    Dims dims = dimsOf(op.getX().getType());
    ArrayRef<DimExpr> image = ArrayRef(dims).slice(first, size.size());
    SmallVector<int64_t> axes, extents, window;
    bool isEven = true;
    for (auto [i, extent] : llvm::enumerate(image)) {
      axes.push_back(first + i);
      extents.push_back(extent.constantValue().value_or(0));
      isEven &= extents[i] % size[i] == 0;
      window.push_back(extents[i] / size[i]);
    }
    if (llvm::all_of(size, [](int64_t n) { return n == 1; }))
      return rewriter.replaceOp(op, reduce(b, op.getX(), axes)), success();
    if (llvm::is_contained(extents, 0))
      return failure();
    if (extents == size)
      return rewriter.replaceOp(op, op.getX()), success();
    if (!isEven) {
      Value x = op.getX();
      for (auto [axis, parts] : llvm::zip_equal(axes, size))
        x = reduceParts(b, x, axis, parts, reduce);
      return rewriter.replaceOp(op, x), success();
    }
    DenseI64ArrayAttr taps = rewriter.getDenseI64ArrayAttr(window);
    DimsAttr none = b.dims(Dims(2 * size.size(), 0));
    BoolAttr no = rewriter.getBoolAttr(false);
    if constexpr (isMax) {
      SmallVector<int64_t> ones(size.size(), 1);
      rewriter.replaceOpWithNewOp<Pool>(op, op.getX(), taps, taps, none,
                                        rewriter.getDenseI64ArrayAttr(ones), no,
                                        op.getChannelsLastAttr());
    } else {
      rewriter.replaceOpWithNewOp<Pool>(op, op.getX(), taps, taps, none, rewriter.getBoolAttr(true),
                                        no, op.getChannelsLastAttr());
    }
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Batch norm
//===----------------------------------------------------------------------===//

/// y = x * scale + shift for each channel.
struct Affine {
  Value scale, shift;
};

Affine buildAffine(const Build &b, BatchNormOp op) {
  Dims channels = dimsOf(op.getRunningVar().getType());
  Value eps = b.full(op.getEps().convertToDouble(), channels, b.elementOf(op.getX()));
  Value scale = b.make<RsqrtOp>(b.make<AddOp>(op.getRunningVar(), eps));
  if (op.getWeight())
    scale = b.make<MulOp>(scale, op.getWeight());
  Value shift = b.make<MulOp>(op.getRunningMean(), scale);
  shift = op.getBias() ? b.make<SubOp>(op.getBias(), shift) : b.make<NegOp>(shift);
  return {scale, shift};
}

/// Scales the weights of the convolution in front, if everything is known at compile time.
struct NormIntoConvolution : OpRewritePattern<BatchNormOp> {
  NormIntoConvolution(MLIRContext *context) : OpRewritePattern(context, /*benefit=*/4) {}
  LogicalResult matchAndRewrite(BatchNormOp op, PatternRewriter &rewriter) const override {
    auto conv = op.getX().getDefiningOp<Conv2dOp>();
    if (!conv || !conv->hasOneUse() || conv.getChannelsLast() ||
        !llvm::all_of(op->getOperands().drop_front(), isLeaf) ||
        !llvm::all_of(conv->getOperands().drop_front(), isLeaf))
      return failure();
    Build b{rewriter, op.getLoc()};
    auto [scale, shift] = buildAffine(b, op);
    Dims shape = dimsOf(conv.getWeight().getType()), column = {shape[0], 1, 1, 1};
    Value weight = b.make<MulOp>(conv.getWeight(), b.broadcast(b.reshape(scale, column), shape));
    if (conv.getBias())
      shift = b.make<AddOp>(b.make<MulOp>(conv.getBias(), scale), shift);
    auto scaled =
        Conv2dOp::create(rewriter, conv.getLoc(), conv.getX(), weight, shift, conv.getStrideAttr(),
                         conv.getPaddingAttr(), conv.getDilationAttr(), conv.getGroupsAttr(),
                         conv.getChannelsLastAttr());
    remark::passed(op.getLoc(), remark::RemarkOpts::name("batch-norm").category("simplify"))
        << "folded into the weights of the convolution before it";
    rewriter.replaceOp(op, scaled.getResult());
    return success();
  }
};

struct ExpandBatchNorm : OpRewritePattern<BatchNormOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BatchNormOp op, PatternRewriter &rewriter) const override {
    Build b{rewriter, op.getLoc()};
    Dims shape = dimsOf(op.getType()), column(shape.size(), 1);
    column[1] = shape[1];
    auto spread = [&](Value v) { return b.broadcast(b.reshape(v, column), shape); };
    // The mean is subtracted first: of x * scale - mean * scale too little would be left.
    Value centred = b.make<SubOp>(op.getX(), spread(op.getRunningMean()));
    Value y = b.make<MulOp>(centred, spread(buildAffine(b, op).scale));
    rewriter.replaceOp(op, op.getBias() ? b.make<AddOp>(y, spread(op.getBias())) : y);
    return success();
  }
};

struct DecomposePass : passes::impl::DecomposeBase<DecomposePass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns
        .add<Widen<VarOp>, Widen<LogSumExpOp>, Widen<BatchNormOp>, UseDefinition, ExpandMean,
             ExpandVariance, ExpandLogSumExp, ExpandAdaptivePool<AdaptiveAvgPool2dOp, AvgPool2dOp>,
             ExpandAdaptivePool<AdaptiveAvgPool3dOp, AvgPool3dOp>,
             ExpandAdaptivePool<AdaptiveMaxPool2dOp, MaxPool2dOp>,
             ExpandAdaptivePool<AdaptiveMaxPool3dOp, MaxPool3dOp>, NormIntoConvolution,
             ExpandBatchNorm>(&getContext());
    addGuardPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
