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
/// Whether every call meets what the op requires, rounds or none.
bool isAlwaysDefined(Operation *op) {
  SmallVector<kiln::Requirement> required = requirementsOf(op);
  if (required.empty())
    return true;
  Operation *function = op->getParentOfType<FunctionOpInterface>();
  kiln::Requirements known(declaredBounds(function));
  for (RequirementAttr attr : declaredRequirements(function))
    if (kiln::Requirement each = attr.getRequirement(); each.when.empty())
      known.add(std::move(each));
  return llvm::all_of(required, [&](const kiln::Requirement &each) {
    return known.judge(each) == kiln::Verdict::Proved;
  });
}

struct LoopInvariant : kiln::passes::impl::LoopInvariantBase<LoopInvariant> {
  void runOnOperation() override {
    // Inner loops first: what leaves one may leave the next.
    getOperation()->walk<WalkOrder::PostOrder>([&](LoopLikeOpInterface loop) {
      BoundDimensions bound = boundDimensions(loop);
      moveLoopInvariantCode(
          loop.getLoopRegions(),
          [&](Value value, Region *) { return loop.isDefinedOutsideOfLoop(value); },
          [&](Operation *op, Region *) {
            return isMemoryEffectFree(op) && isSpeculatable(op) && !namesAny(op, bound) &&
                   isAlwaysDefined(op);
          },
          [&](Operation *op, Region *) { loop.moveOutOfLoop(op); });
    });
  }
};
} // namespace
