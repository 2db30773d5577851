//===- ChannelsLast.cpp - images with channels last -----------------------===//
//
// Needs: decomposed ops. Guarantees: convolutions and pools are `channels_last`; permutes of
// weights are folded; other permutes stand where they could not be moved away. Reports: passed
// `channels-last` at each op converted, missed `transpose` at each permute left.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/layout/Permutes.h"

#include "mlir/IR/Remarks.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;

namespace kiln::passes {
#define GEN_PASS_DEF_LAYOUT
#include "passes/Passes.h.inc"
} // namespace kiln::passes

/// From [N, C, H, W] to [N, H, W, C], and back.
static constexpr int64_t toLast[] = {0, 2, 3, 1}, toSecond[] = {0, 3, 1, 2};

namespace {
/// Every operand of rank 4 is an image or a weight with its channels in the second place.
template <typename Op> struct ToChannelsLast : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    if (op.getChannelsLast() || cast<RankedTensorType>(op->getResult(0).getType()).getRank() != 4)
      return failure();
    Build b{rewriter, op.getLoc()};
    auto moved = cast<Op>(op->clone());
    for (OpOperand &operand : moved->getOpOperands())
      if (cast<RankedTensorType>(operand.get().getType()).getRank() == 4)
        operand.set(permute(b, operand.get(), toLast));
    moved.setChannelsLast(true);
    SmallVector<DimExpr> dims = dimsOf(op.getType());
    moved->getResult(0).setType(
        tensorType(b.elementOf(op->getResult(0)), {dims[0], dims[2], dims[3], dims[1]}));
    rewriter.insert(moved.getOperation());
    remark::passed(op.getLoc(), remark::RemarkOpts::name("channels-last").category("layout"))
        << (op->getName().stripDialect() + " runs with channels last").str();
    rewriter.replaceOp(op, permute(b, moved->getResult(0), toSecond));
    return success();
  }
};

struct LayoutPass : passes::impl::LayoutBase<LayoutPass> {
  void runOnOperation() override {
    RewritePatternSet sink(&getContext()), cancel(&getContext());
    addChannelsLastPatterns(sink);
    addSinkPatterns(sink);
    addCancelPatterns(cancel);
    OpPassManager after(ModuleOp::getOperationName());
    after.addPass(mlir::createCanonicalizerPass());
    after.addPass(mlir::createCSEPass());
    after.addPass(createFoldWeights());
    if (failed(applyPatternsGreedily(getOperation(), std::move(sink))) ||
        failed(applyPatternsGreedily(getOperation(), std::move(cancel))) ||
        failed(runPipeline(after, getOperation())))
      return signalPassFailure();
    getOperation().walk([](PermuteOp op) {
      remark::missed(op.getLoc(), remark::RemarkOpts::name("transpose").category("layout"))
          << "a transpose to " + typeText(op.getType()) + " is left";
    });
  }
};
} // namespace

void passes::addChannelsLastPatterns(RewritePatternSet &patterns) {
  patterns.add<ToChannelsLast<Conv2dOp>, ToChannelsLast<QConv2dOp>, ToChannelsLast<MaxPool2dOp>,
               ToChannelsLast<AvgPool2dOp>, ToChannelsLast<AdaptiveAvgPool2dOp>,
               ToChannelsLast<AdaptiveMaxPool2dOp>, ToChannelsLast<InterpolateOp>>(
      patterns.getContext());
}
