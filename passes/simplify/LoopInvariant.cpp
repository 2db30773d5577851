//===- LoopInvariant.cpp - what no round changes stands before the loop ----===//
//
// Needs: any module of the dialect. Guarantees: an op of a loop's body whose operands are made
// outside stands outside, unless its extents have names that only the loop binds, or it is not
// defined for calls that run no round.
//
//===----------------------------------------------------------------------===//

#include "ir/DataDimensions.h"
#include "ir/KilnOps.h"
#include "ir/Requirements.h"
#include "passes/Passes.h"

#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"

using namespace mlir;
using namespace kiln::ir;

namespace kiln::passes {
#define GEN_PASS_DEF_LOOPINVARIANT
#include "passes/Passes.h.inc"
} // namespace kiln::passes

namespace {
struct LoopInvariant : kiln::passes::impl::LoopInvariantBase<LoopInvariant> {
  void runOnOperation() override {
    // Inner loops first: what leaves one may leave the next.
    getOperation()->walk<WalkOrder::PostOrder>([&](LoopLikeOpInterface loop) {
      kiln::Requirements known = knownOfCalls(loop->getParentOfType<FunctionOpInterface>());
      BoundDimensions bound = boundDimensions(loop);
      auto isOutside = [&](Value value) { return loop.isDefinedOutsideOfLoop(value); };
      moveLoopInvariantCode(
          loop.getLoopRegions(), [&](Value value, Region *) { return isOutside(value); },
          [&](Operation *op, Region *) { // is asked of each op, so what costs least comes first
            return llvm::all_of(op->getOperands(), isOutside) && isMemoryEffectFree(op) &&
                   isSpeculatable(op) && !namesAny(op, bound) && isAlwaysDefined(op, known);
          },
          [&](Operation *op, Region *) { loop.moveOutOfLoop(op); });
    });
  }
};
} // namespace
