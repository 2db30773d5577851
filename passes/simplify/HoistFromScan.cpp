//===- HoistFromScan.cpp - products of all rounds at once -----------------===//
//
// Needs: any module of the dialect; what does not depend on the round stands outside of loops.
// Guarantees: no scan multiplies what depends on its sequences alone by a matrix of around it: that
// is one product of the whole sequences before the loop, with what leads to it and the elementwise
// ops behind it, where these are defined for calls that run no round. Reports: passed `hoisted` for
// each.
//
//===----------------------------------------------------------------------===//

#include "ir/DataDimensions.h"
#include "ir/Requirements.h"
#include "passes/Build.h"
#include "passes/Passes.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;

namespace kiln::passes {
#define GEN_PASS_DEF_HOISTFROMSCAN
#include "passes/Passes.h.inc"
} // namespace kiln::passes

namespace {
/// The ops of one scan that depend on its sequences alone.
class Hoister {
public:
  explicit Hoister(ScanOp scan)
      : scan(scan), builder(scan), bound(boundDimensions(scan)),
        known(knownOfCalls(scan->getParentOfType<FunctionOpInterface>())) {}

  void run() {
    for (auto [element, sequence] : llvm::zip(scan.getElements(), scan.getSequences()))
      whole[element] = sequence;
    for (Operation &op : scan.getBody().front().without_terminator())
      if (isOfSequences(&op))
        ops.insert(&op);
    SmallVector<Operation *> ends;
    for (Operation *op : ops)
      if (multiplies(op) &&
          llvm::any_of(op->getUsers(), [&](Operation *user) { return !ops.contains(user); }))
        ends.push_back(op);
    if (ends.empty())
      return;
    SmallVector<Value> sequences(scan.getSequences());
    Block &body = scan.getBody().front();
    for (Operation *op : ends) {
      remark::passed(op->getLoc(), remark::RemarkOpts::name("hoisted").category("simplify"))
          << ("'" + op->getName().stripDialect() + "' is computed for all rounds before the loop")
                 .str();
      sequences.push_back(hoist(op->getResult(0)));
      BlockArgument argument =
          body.insertArgument(sequences.size() - 1, op->getResult(0).getType(), op->getLoc());
      op->getResult(0).replaceUsesWithIf(
          argument, [&](OpOperand &use) { return !ops.contains(use.getOwner()); });
    }
    auto made = ScanOp::create(builder, scan.getLoc(), scan.getResultTypes(), sequences,
                               scan.getInitial(), scan.getReverse(), scan.getOffsetsAttr());
    made.getBody().takeBody(scan.getBody());
    scan.replaceAllUsesWith(made.getResults());
    scan.erase();
    auto old = ops.takeVector();
    for (Operation *op : llvm::reverse(old))
      if (op->use_empty())
        op->erase();
  }

private:
  bool isOutside(Value value) { return !scan.getBody().isAncestor(value.getParentRegion()); }
  bool isWhole(Value value) const {
    return whole.contains(value) || (value.getDefiningOp() && ops.contains(value.getDefiningOp()));
  }

  bool isOfSequences(Operation *op) {
    if (llvm::none_of(op->getOperands(), [&](Value v) { return isWhole(v); }) ||
        !llvm::all_of(op->getOperands(), [&](Value v) { return isWhole(v) || isOutside(v); }) ||
        namesAny(op, bound) || !isAlwaysDefined(op, known))
      return false;
    if (auto matmul = dyn_cast<MatmulOp>(op))
      return isWhole(matmul.getA()) && isOutside(matmul.getB()) &&
             dimsOf(matmul.getB().getType()).size() == 2;
    return op->hasTrait<OpTrait::Elementwise>() || isa<ReshapeOp, BroadcastToOp, PermuteOp>(op);
  }

  /// Whether a product is on the way to the op.
  bool multiplies(Operation *op) const {
    return isa<MatmulOp>(op) || llvm::any_of(op->getOperands(), [&](Value value) {
             Operation *from = value.getDefiningOp();
             return from && ops.contains(from) && multiplies(from);
           });
  }

  SmallVector<DimExpr> withRounds(Value value) {
    SmallVector<DimExpr> dims = dimsOf(value.getType());
    dims.insert(dims.begin(), scan.getRounds());
    return dims;
  }

  /// The values of all rounds, stacked.
  Value hoist(Value value) {
    if (Value known = whole.lookup(value))
      return known;
    Operation *op = value.getDefiningOp();
    SmallVector<DimExpr> dims = withRounds(value);
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(isWhole(operand) ? hoist(operand) : operand);
    Build build{builder, op->getLoc()};
    Value made;
    if (isa<ReshapeOp>(op)) {
      made = build.reshape(operands[0], dims);
    } else if (auto spread = dyn_cast<BroadcastToOp>(op)) {
      SmallVector<DimExpr> aligned = withRounds(spread.getX());
      aligned.insert(aligned.begin() + 1, dims.size() - aligned.size(), DimExpr(1));
      made = build.broadcast(build.reshape(operands[0], aligned), dims);
    } else if (auto permute = dyn_cast<PermuteOp>(op)) {
      SmallVector<int64_t> axes{0};
      for (int64_t axis : permute.getAxes())
        axes.push_back(axis + 1);
      made = build.make<PermuteOp>(operands[0], builder.getDenseI64ArrayAttr(axes));
    } else {
      if (!isa<MatmulOp>(op))
        for (auto [operand, old] : llvm::zip(operands, op->getOperands()))
          if (!isWhole(old))
            operand = build.broadcast(operand, withRounds(old));
      Operation *copy = builder.clone(*op);
      copy->setOperands(operands);
      made = copy->getResult(0);
      made.setType(tensorType(Build::elementOf(value), dims));
    }
    return whole[value] = made;
  }

  ScanOp scan;
  OpBuilder builder;
  llvm::SetVector<Operation *> ops; ///< in the order of the body
  DenseMap<Value, Value> whole;
  BoundDimensions bound;
  kiln::Requirements known; ///< of calls that run no round, too
};

struct HoistFromScan : passes::impl::HoistFromScanBase<HoistFromScan> {
  void runOnOperation() override {
    // Inner loops first: what they multiply may depend on an outer one's sequences.
    SmallVector<ScanOp> scans;
    getOperation()->walk<WalkOrder::PostOrder>([&](ScanOp scan) { scans.push_back(scan); });
    for (ScanOp scan : scans)
      Hoister(scan).run();
  }
};
} // namespace
