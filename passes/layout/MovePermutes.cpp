//===- MovePermutes.cpp - patterns that move permutes ---------------------===//
//
// Permutes move behind the ops that use them, except broadcasts: in front of those they are
// smaller. They move in front of an elementwise op only to cancel with one there. The two
// directions are two sets of patterns, applied one after the other, since together they can undo
// each other: permute(permute(x) + x) turns into x + permute(x) and back.
//
// Each set ends. Behind: take each use of a permute by an op that it can pass, with the longest
// path from that op to a result; a step replaces such uses by uses on shorter paths, and what it
// puts in front of leaves and broadcasts is never moved back. In front: the same with paths from
// the arguments. Folding permutes of permutes only shortens both.
//
//===----------------------------------------------------------------------===//

#include "passes/layout/Permutes.h"

using namespace mlir;
using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;

/// Whether a permute of the value costs nothing or little.
static bool isCheap(Value value) { return isLeaf(value) || value.getDefiningOp<BroadcastToOp>(); }

/// A permute of something computed: those of weights, constants and broadcasts stay in front.
static PermuteOp realPermute(Value value) {
  auto op = value.getDefiningOp<PermuteOp>();
  return op && !isCheap(op.getX()) ? op : PermuteOp();
}

namespace {
/// op(permute(x), …) to permute(op(x, …)).
struct SinkPermute : RewritePattern {
  SinkPermute(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 1 || isa<BroadcastToOp, PermuteOp>(op))
      return failure();
    PermuteOp first;
    for (Value operand : op->getOperands())
      first = first ? first : realPermute(operand);
    if (!first)
      return failure();
    Axes axes(first.getAxes());
    for (Value operand : op->getOperands()) {
      PermuteOp other = realPermute(operand);
      if (!isCheap(operand) && (!other || other.getAxes() != ArrayRef(axes)))
        return failure();
    }
    Operation *moved = op->clone();
    std::optional<Axes> order = reorderDimensions(moved, axes);
    if (!order) {
      moved->destroy();
      return failure();
    }
    Build b{rewriter, op->getLoc()};
    Axes back = inverse(axes);
    for (OpOperand &operand : moved->getOpOperands()) {
      PermuteOp other = realPermute(operand.get());
      operand.set(other ? other.getX() : permute(b, operand.get(), back));
    }
    rewriter.insert(moved);
    rewriter.replaceOp(op, permute(b, moved->getResult(0), *order));
    return success();
  }
};

/// permute(op(permute(x), y)) to op(x, permute(y)), where the two around x cancel.
struct HoistToCancel : OpRewritePattern<PermuteOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(PermuteOp op, PatternRewriter &rewriter) const override {
    Operation *source = op.getX().getDefiningOp();
    if (!source || !source->hasTrait<OpTrait::Elementwise>() || !source->hasOneUse())
      return failure();
    Axes back = inverse(op.getAxes());
    bool cancels = llvm::any_of(source->getOperands(), [&](Value operand) {
      PermuteOp inner = realPermute(operand);
      return inner && inner.getAxes() == ArrayRef(back);
    });
    if (!cancels)
      return failure();
    rewriter.setInsertionPoint(source);
    Build b{rewriter, source->getLoc()};
    Operation *moved = source->clone();
    for (OpOperand &operand : moved->getOpOperands())
      operand.set(permute(b, operand.get(), op.getAxes()));
    reorderDimensions(moved, back);
    rewriter.insert(moved);
    rewriter.replaceOp(op, moved->getResults());
    return success();
  }
};

/// permute(broadcast_to(x)) to broadcast_to(permute(x)), and permute(full) to full.
struct HoistOverBroadcast : OpRewritePattern<PermuteOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(PermuteOp op, PatternRewriter &rewriter) const override {
    Build b{rewriter, op.getLoc()};
    SmallVector<DimExpr> shape = dimsOf(op.getType());
    if (auto full = op.getX().getDefiningOp<FullOp>()) {
      rewriter.replaceOpWithNewOp<FullOp>(op, b.dims(shape), full.getValue(), full.getDtype());
      return success();
    }
    auto broadcast = op.getX().getDefiningOp<BroadcastToOp>();
    if (!broadcast)
      return failure();
    SmallVector<DimExpr> given = dimsOf(broadcast.getX().getType());
    SmallVector<DimExpr> from(shape.size() - given.size(), DimExpr(1));
    from.append(given);
    Value x = permute(b, b.reshape(broadcast.getX(), from), op.getAxes());
    rewriter.replaceOp(op, b.broadcast(x, shape));
    return success();
  }
};

/// op(reshape(permute(x))) to reshape(op(permute(x))) for ops of one operand.
struct SinkReshape : RewritePattern {
  SinkReshape(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!op->hasTrait<OpTrait::Elementwise>() || op->getNumOperands() != 1)
      return failure();
    auto reshape = op->getOperand(0).getDefiningOp<ReshapeOp>();
    if (!reshape || !reshape->hasOneUse() || !realPermute(reshape.getX()))
      return failure();
    Operation *moved = rewriter.clone(*op);
    moved->setOperand(0, reshape.getX());
    moved->getResult(0).setType(
        tensorType(Build::elementOf(op->getResult(0)), dimsOf(reshape.getX().getType())));
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, moved->getResult(0), reshape.getShape());
    return success();
  }
};

/// matmul(reshape(permute(x)), w), where the reshape joins what the permute reorders: the rows of
/// the weight are reordered instead.
struct PermuteIntoWeight : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    auto reshape = op.getA().getDefiningOp<ReshapeOp>();
    PermuteOp moved = reshape ? realPermute(reshape.getX()) : PermuteOp();
    SmallVector<DimExpr> shape = dimsOf(op.getB().getType());
    if (!moved || !isLeaf(op.getB()) || shape.size() != 2)
      return failure();
    ArrayRef<int64_t> axes = moved.getAxes();
    SmallVector<DimExpr> dims = dimsOf(moved.getType()), joined = dimsOf(reshape.getType());
    size_t lead = joined.size() - 1;
    if (lead >= dims.size() || !std::equal(dims.begin(), dims.begin() + lead, joined.begin()))
      return failure();
    for (size_t i = 0; i < lead; ++i)
      if (axes[i] != static_cast<int64_t>(i))
        return failure();

    // The weight as [rows in the order of the product's operand…, n] or [n, rows…].
    size_t at = op.getTransposeB() ? 1 : 0, count = dims.size() - lead;
    SmallVector<DimExpr> parts(dims.begin() + lead, dims.end());
    parts.insert(op.getTransposeB() ? parts.begin() : parts.end(), shape[1 - at]);
    Axes order(parts.size(), op.getTransposeB() ? 0 : static_cast<int64_t>(count));
    Axes back = inverse(axes);
    for (size_t i = 0; i < count; ++i)
      order[at + i] = back[lead + i] - static_cast<int64_t>(lead) + static_cast<int64_t>(at);
    Build b{rewriter, op.getLoc()};
    Value weight = b.reshape(permute(b, b.reshape(op.getB(), parts), order), shape);
    Value x = b.reshape(moved.getX(), joined);
    rewriter.replaceOpWithNewOp<MatmulOp>(op, x, weight, op.getTransposeBAttr());
    return success();
  }
};
} // namespace

void passes::addSinkPatterns(RewritePatternSet &patterns) {
  patterns.add<SinkPermute, HoistOverBroadcast, SinkReshape, PermuteIntoWeight>(
      patterns.getContext());
}

void passes::addCancelPatterns(RewritePatternSet &patterns) {
  patterns.add<HoistToCancel, HoistOverBroadcast>(patterns.getContext());
}
