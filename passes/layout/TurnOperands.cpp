//===- TurnOperands.cpp - activations as a product reads them --------------===//
//
// Needs: what layout left; products fold each transpose of their second operand (`transpose_b`).
// Guarantees: a product of several rows reads a computed second operand along its rows: it is
// transposed once, in a kernel that turns tiles, where the product would gather its vectors or sum
// in lanes. Reports: each such transpose.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/layout/Permutes.h"

#include "mlir/IR/Remarks.h"

namespace kiln::passes {
#define GEN_PASS_DEF_TURNOPERANDS
#include "passes/Passes.h.inc"
} // namespace kiln::passes

using namespace mlir;
using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;

/// Rows of a product from which on a transpose costs less than it gains.
static constexpr int64_t leastRows = 8;

namespace {
struct TurnOperands : passes::impl::TurnOperandsBase<TurnOperands> {
  void runOnOperation() override {
    DenseMap<Value, Value> turned;
    getOperation().walk([&](MatmulOp op) { turn(op, turned); });
    getOperation().walk([](PermuteOp op) {
      if (op->use_empty())
        op.erase();
    });
  }

  /// The transpose stands behind what it transposes: in front of the loops that only read that.
  static void turn(MatmulOp op, DenseMap<Value, Value> &turned) {
    SmallVector<DimExpr> a = dimsOf(op.getA().getType());
    std::optional<int64_t> rows = a[a.size() - 2].constantValue();
    Value b = op.getB();
    if (!op.getTransposeB() || isWidenedLeaf(b) || (rows && *rows < leastRows))
      return;
    Value known = turned.lookup(b);
    if (!known) {
      Axes axes = llvm::to_vector<6>(llvm::seq<int64_t>(dimsOf(b.getType()).size()));
      std::swap(axes[axes.size() - 2], axes.back());
      OpBuilder builder(op.getContext());
      builder.setInsertionPointAfterValue(b);
      Value from = b;
      if (auto before = b.getDefiningOp<PermuteOp>()) {
        for (int64_t &axis : axes)
          axis = before.getAxes()[axis];
        from = before.getX();
      }
      known = permute(Build{builder, op.getLoc()}, from, axes);
      turned.insert({b, known});
      remark::passed(op.getLoc(), remark::RemarkOpts::name("turned").category("layout"))
          << "the second operand of 'matmul' is transposed once: its rows are read by "
             "vectors of columns";
    }
    op.getBMutable().assign(known);
    op.setTransposeB(false);
  }
};
} // namespace
