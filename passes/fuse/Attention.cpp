//===- Attention.cpp - what of attention is one kernel on GPUs ------------===//
//
// codegen/cuda computes attention in one grid that stores no scores, whatever the extents are. So
// its two products, softmax and all that is done to the scores in between are one kernel there,
// with the casts of factors that tensor cores take narrow.
//
//===----------------------------------------------------------------------===//

#include "passes/fuse/Groups.h"

#include "llvm/ADT/SetVector.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

/// Queries of a head of keys, and keys, below which codegen/cuda computes stage by stage.
static constexpr int64_t leastExtent = 16;
/// Ops of a kernel.
static constexpr size_t mostOps = 32;

bool passes::isLarge(const DimExpr &extent, const DimExpr::BoundsMap &bounds) {
  return extent.bounds(bounds).upper.value_or(leastExtent) >= leastExtent;
}

bool passes::isHalf(Value value) {
  DType type = *dtypeOf(value.getType());
  return type == DType::F16 || type == DType::BF16;
}

/// Whether the op computes scores or weights of that shape in place, or is their product.
static bool isOfScores(Operation *op, ArrayRef<DimExpr> shape) {
  if (op->getNumResults() != 1 || isFree(op) ||
      !llvm::equal(dimsOf(op->getResult(0).getType()), shape))
    return false;
  if (auto softmax = dyn_cast<SoftmaxOp>(op))
    return static_cast<size_t>(softmax.getAxis()) + 1 == shape.size();
  return isa<MatmulOp>(op) || roleOf(op) == FusionRole::Pointwise;
}

/// Whether all that reads the op, through broadcasts, is among the others.
static bool isReadInside(Operation *op, const llvm::SetVector<Operation *> &ops) {
  return !op->use_empty() && llvm::all_of(op->getUsers(), [&](Operation *user) {
    return isa<BroadcastToOp>(user) ? isReadInside(user, ops) : ops.contains(user);
  });
}

/// Takes the ops that widen a factor of halves: a cast, and a number that multiplies it.
static void takeWidening(Value factor, llvm::SetVector<Operation *> &ops) {
  Operation *op = factor.getDefiningOp(), *scale = nullptr;
  while (isa_and_nonnull<BroadcastToOp>(op))
    op = op->getOperand(0).getDefiningOp();
  if (isa_and_nonnull<MulOp>(op)) {
    scale = op;
    op = op->getOperand(0).getDefiningOp();
  }
  auto cast = dyn_cast_or_null<CastOp>(op);
  if (!cast || !isHalf(cast.getX()) || !isReadInside(scale ? scale : op, ops) ||
      (scale && !op->hasOneUse()))
    return;
  ops.insert(cast);
  if (scale)
    ops.insert(scale);
}

SmallVector<Operation *> passes::attentionOf(MatmulOp last, const DimExpr::BoundsMap &bounds,
                                             std::string &reason) {
  SmallVector<DimExpr> shape = dimsOf(last.getA().getType());
  llvm::SetVector<Operation *> ops;
  ops.insert(last);
  MatmulOp scores;
  bool hasSoftmax = false;
  for (Operation *op = last->getPrevNode(); op && !scores; op = op->getPrevNode()) {
    bool isValues = op->getNumResults() == 1 && op->getResult(0) == last.getB();
    if (isValues || !isOfScores(op, shape) || !isReadInside(op, ops))
      continue;
    ops.insert(op);
    hasSoftmax |= isa<SoftmaxOp>(op);
    scores = dyn_cast<MatmulOp>(op);
  }
  if (!hasSoftmax)
    return {};
  auto fail = [&](StringRef why) { return reason = why.str(), SmallVector<Operation *>(); };
  if (!scores)
    return fail("its scores, or what is made of them, are read elsewhere too");
  if (*dtypeOf(scores.getType()) != DType::F32)
    return fail("its scores are not f32");
  // Where heads that share keys are a dimension of their own, they are queries too.
  DimExpr queries = shape[shape.size() - 2];
  if (auto shared = scores.getB().getDefiningOp<BroadcastToOp>())
    queries = queries * shape[shape.size() - 3];
  if (!isLarge(queries, bounds) || !isLarge(shape.back(), bounds))
    return fail("it has less than 16 queries or keys");
  for (Value factor : {scores.getA(), scores.getB(), last.getB()})
    takeWidening(factor, ops);
  if (ops.size() > mostOps)
    return fail("it has more ops than a kernel may have");
  SmallVector<Operation *> result = ops.takeVector();
  llvm::sort(result, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return result;
}
