//===- Groups.cpp - which ops become one kernel -----------------------------===//

#include "passes/fuse/Groups.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/SetVector.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

/// Kernels of more ops take long to compile and gain nothing.
static constexpr size_t maxOps = 32;

FusionRole passes::roleOf(Operation *op) {
  auto fusable = dyn_cast<Fusable>(op);
  return fusable ? fusable.getFusionRole() : FusionRole::Opaque;
}

/// Whether vectors are read through the slice as from its operand, by ops that read no element more
/// often than the slice would.
static bool isReadThrough(Operation *op) {
  auto slice = dyn_cast<SliceOp>(op);
  return slice && !slice.getSteps().empty() && slice.getSteps().back() == 1 &&
         llvm::all_of(op->getUsers(), [](Operation *user) {
           FusionRole role = roleOf(user);
           return role == FusionRole::Pointwise || role == FusionRole::RowWise ||
                  isa<ConcatOp>(user);
         });
}

bool passes::isFree(Operation *op) {
  return roleOf(op) == FusionRole::Constant || isa<BroadcastToOp>(op) || isReadThrough(op);
}

static bool isAnchor(Operation *op) {
  FusionRole role = roleOf(op);
  return role == FusionRole::Contraction || role == FusionRole::Convolution ||
         role == FusionRole::Window || role == FusionRole::RowWise;
}

static StringRef nameOf(Operation *op) { return op->getName().stripDialect(); }

static void passed(Operation *op, StringRef name, const Twine &text) {
  remark::passed(op->getLoc(), remark::RemarkOpts::name(name).category("fuse")) << text.str();
}

static void missed(Operation *op, StringRef name, const Twine &text) {
  remark::missed(op->getLoc(), remark::RemarkOpts::name(name).category("fuse")) << text.str();
}

/// Whether some use of a free op's result cannot contain the op.
static bool needsKernel(Operation *op) {
  return llvm::any_of(op->getUsers(), [](Operation *user) {
    FusionRole role = roleOf(user);
    return role == FusionRole::Opaque || role == FusionRole::View || role == FusionRole::Procedure;
  });
}

bool Grouping::isWanted(Operation *op) const {
  FusionRole role = roleOf(op);
  return role != FusionRole::Opaque && role != FusionRole::View && !groupOf.contains(op) &&
         (!isFree(op) || needsKernel(op));
}

Group &Grouping::start(Operation *op) {
  groups.push_back(std::make_unique<Group>());
  Group &group = *groups.back();
  if (isAnchor(op))
    group.anchor = op;
  add(group, op);
  return group;
}

void Grouping::add(Group &group, ArrayRef<Operation *> ops) {
  group.ops.insert(group.ops.end(), ops.begin(), ops.end());
  llvm::sort(group.ops, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  for (Operation *op : ops)
    groupOf[op] = &group;
}

/// The pointwise ops that follow a value up to the next value that alone is used elsewhere; empty,
/// with a reason, if there is no such value near.
SmallVector<Operation *> Grouping::closure(Value tip, std::string &reason) const {
  llvm::SetVector<Operation *> inside;
  SmallVector<DimExpr> shape = dimsOf(tip.getType());
  auto addUsers = [&](Value value) {
    for (Operation *user : value.getUsers()) {
      bool isPointwise = roleOf(user) == FusionRole::Pointwise && !groupOf.contains(user) &&
                         user->getBlock() == &block &&
                         dimsOf(user->getResult(0).getType()) == shape;
      if (user->hasTrait<OpTrait::IsTerminator>())
        return false; // the end of the function needs no reason
      if (!isPointwise) {
        reason = ("its value is read by '" + nameOf(user) + "'").str();
        return false;
      }
      inside.insert(user);
    }
    return true;
  };
  if (tip.use_empty() || !addUsers(tip))
    return {};
  while (inside.size() <= 8) {
    SmallVector<Operation *> ops = inside.takeVector(), open;
    inside.insert(ops.begin(), ops.end());
    for (Operation *op : ops)
      if (!llvm::all_of(op->getUsers(), [&](Operation *user) { return inside.contains(user); }))
        open.push_back(op);
    if (open.size() == 1)
      return ops;
    for (Operation *op : open)
      if (!addUsers(op->getResult(0)))
        return {};
  }
  reason = "its value is read by many ops";
  return {};
}

void Grouping::grow(Group &group) {
  Operation *first = group.ops.front();
  if (roleOf(first) == FusionRole::Procedure)
    return;
  std::string reason;
  while (group.ops.size() < maxOps) {
    SmallVector<Operation *> next = closure(group.result(), reason);
    if (next.empty())
      break;
    add(group, next);
    for (Operation *op : next)
      passed(op, "fused",
             "'" + nameOf(op) + "' joins the kernel of '" +
                 nameOf(group.anchor ? group.anchor : first) + "'");
  }
  if (group.ops.size() >= maxOps)
    reason = "it has as many ops as a kernel may have";
  if (!reason.empty())
    missed(group.ops.back(), "kernel-ends",
           "the kernel ends at '" + nameOf(group.ops.back()) + "': " + reason);
}

/// A border of zeros around the image of a convolution is read, not written.
void Grouping::absorbPads(Group &group) {
  if (roleOf(group.anchor) != FusionRole::Convolution)
    return;
  auto pad = group.anchor->getOperand(0).getDefiningOp<PadOp>();
  if (!pad || pad->getBlock() != &block || !isWanted(pad))
    return;
  if (!pad->hasOneUse() || !pad.isConstant() || !pad.getValue().isZero())
    return missed(
        pad, "pad",
        Twine("the padded image is written: ") +
            (pad->hasOneUse() ? "its border is not zero" : "it is read by more than one op"));
  passed(pad, "pad", "'pad' becomes the border of '" + nameOf(group.anchor) + "'");
  add(group, pad.getOperation());
}

/// A weight in fewer bits is widened by the kernel that reads it, not in memory.
void Grouping::absorbWidening(Group &group) {
  FusionRole role = roleOf(group.anchor);
  if (role != FusionRole::Contraction && role != FusionRole::Convolution)
    return;
  Operation *op = group.anchor->getOperand(1).getDefiningOp();
  if (!isa_and_nonnull<CastOp, DequantizeOp>(op) || !isWanted(op) || !op->hasOneUse() ||
      !op->getOperand(0).getDefiningOp<GetOp>())
    return;
  passed(op, "widened",
         "'" + nameOf(op) + "' of a weight is part of '" + nameOf(group.anchor) + "'");
  for (Value factor : op->getOperands().drop_front()) // so are scales in fewer bits
    if (auto cast = factor.getDefiningOp<CastOp>();
        cast && isWanted(cast) && cast->hasOneUse() && cast.getX().getDefiningOp<GetOp>())
      add(group, cast.getOperation());
  add(group, op);
}

/// A group without anchor whose value only epilogues of one anchored group (or a row-wise anchor)
/// read moves into that group.
void Grouping::absorbProducers() {
  for (auto &producer : groups) {
    if (producer->anchor || producer->ops.empty() ||
        !llvm::all_of(producer->ops,
                      [](Operation *op) { return roleOf(op) == FusionRole::Pointwise; }))
      continue;
    Value value = producer->result();
    Group *target = nullptr;
    bool fits = !value.use_empty();
    for (Operation *user : value.getUsers()) {
      auto it = groupOf.find(user);
      Group *group = it == groupOf.end() ? nullptr : it->second;
      fits &= group && group->anchor && (!target || target == group) &&
              group->ops.size() + producer->ops.size() <= maxOps &&
              (roleOf(user) == FusionRole::RowWise ||
               (roleOf(user) == FusionRole::Pointwise &&
                user->getResult(0).getType() == value.getType()));
      target = group;
    }
    if (!fits)
      continue;
    passed(producer->ops.back(), "fused",
           "'" + nameOf(producer->ops.back()) + "' is computed within the kernel of '" +
               nameOf(target->anchor) + "'");
    std::vector<Operation *> ops = std::move(producer->ops);
    producer->ops.clear();
    add(*target, ops);
  }
}

void Grouping::outline() {
  for (Operation &op : block)
    if (isWanted(&op))
      start(&op);
}

/// Whole attention, however long its rows are.
void Grouping::takeAttention() {
  DimExpr::BoundsMap bounds = enclosingBounds(block.getParentOp());
  for (Operation &op : llvm::reverse(block)) {
    auto last = dyn_cast<MatmulOp>(op);
    if (!last || groupOf.contains(&op))
      continue;
    std::string reason;
    SmallVector<Operation *> ops = attentionOf(last, bounds, reason);
    if (!reason.empty())
      missed(&op, "attention", "attention is no kernel of its own: " + reason);
    if (ops.empty())
      continue;
    passed(&op, "attention", "attention of " + Twine(ops.size()) + " ops is one kernel");
    Group &group = start(&op);
    add(group, ArrayRef(ops).drop_back());
    grow(group);
  }
}

void Grouping::run() {
  if (kind == Kind::Outlined)
    return outline();
  if (kind == Kind::Device)
    takeAttention();
  fuse();
}

void Grouping::fuse() {
  // Later anchors first: of two branches that meet in an addition, the later one has the sum in its
  // registers when the other is in memory.
  for (Operation &op : llvm::reverse(block))
    if (isAnchor(&op) && !groupOf.contains(&op)) {
      Group &group = start(&op);
      absorbPads(group);
      absorbWidening(group);
      grow(group);
    }
  for (Operation &op : block)
    if (isWanted(&op))
      grow(start(&op));
  absorbProducers();
  joinRows();
}

std::vector<Group *> Grouping::sorted() {
  std::vector<Group *> result;
  for (auto &group : groups)
    if (!group->ops.empty())
      result.push_back(group.get());
  llvm::sort(result,
             [](Group *a, Group *b) { return a->ops.back()->isBeforeInBlock(b->ops.back()); });
  return result;
}
