//===- GuardIndices.cpp - positions are looked at before use --------------===//
//
// A kernel brings a position into the range of what it reads, so that memory is safe; that a
// position was out of range is found beside it, by a reduction over the positions whose value the
// host looks at. Kernels need no statuses for it, on any kind of device.
//
//===----------------------------------------------------------------------===//

#include "passes/simplify/GuardIndices.h"
#include "ir/Build.h"

using namespace mlir;
using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;

/// Whether the positions are stored with the weights, and all of them in range.
static bool isKnownInside(Indexing op) {
  auto get = op.getIndices().getDefiningOp<GetOp>();
  auto weight =
      get ? SymbolTable::lookupNearestSymbolFrom<WeightOp>(op, get.getWeightAttr()) : WeightOp();
  std::optional<int64_t> extent = op.getIndexedExtent().constantValue();
  if (!weight || !weight.getHash() || !extent)
    return false;
  const WeightStore &store = op->getContext()->getLoadedDialect<KilnDialect>()->getWeights();
  const WeightView *view = store.find(*weight.getHash());
  if (!view)
    return false;
  Tensor positions = Tensor::fromBytes(view->type, view->shape, view->bytes.data());
  return llvm::all_of(positions.ints,
                      [&](int64_t index) { return index >= -*extent && index < *extent; });
}

namespace {
struct GuardIndices : OpInterfaceRewritePattern<Indexing> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(Indexing op, PatternRewriter &rewriter) const override {
    if (op.getGuarded())
      return failure();
    Build b{rewriter, op.getLoc()};
    if (!isKnownInside(op))
      assertInside(b, op.getIndices(), op.getIndexedExtent(), op->getName().stripDialect());
    rewriter.modifyOpInPlace(op, [&] { op.setGuarded(true); });
    return success();
  }
};
} // namespace

void passes::addGuardPatterns(RewritePatternSet &patterns) {
  patterns.add<GuardIndices>(patterns.getContext());
}
