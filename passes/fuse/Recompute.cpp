//===- Recompute.cpp - what each reader computes for itself ---------------===//
//
// `x - mean` of a norm over several dimensions is read by sums and by what follows them. Whoever
// reads it could as well read x, which is in memory anyway, so it is not written.
//
//===----------------------------------------------------------------------===//

#include "passes/fuse/Groups.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/SetVector.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

/// Readers beyond which computing costs more than memory.
static constexpr size_t mostReaders = 4;

/// Whether the factor is one number for whole planes of the result, its last two dimensions. Rows
/// of one dimension are joined into one kernel instead.
static bool isOfPlanes(Value factor) {
  auto broadcast = factor.getDefiningOp<BroadcastToOp>();
  if (!broadcast)
    return false;
  SmallVector<DimExpr> from = dimsOf(broadcast.getX().getType()), to = dimsOf(factor.getType());
  if (to.size() < 2)
    return false;
  from.insert(from.begin(), to.size() - from.size(), DimExpr(1));
  return llvm::all_of(ArrayRef(from).take_back(2),
                      [](const DimExpr &dim) { return dim == DimExpr(1); });
}

/// Whether the op is one step from a value that is stored for others too to what these few read.
static bool isCheap(Operation *op, ArrayRef<Operation *> readers) {
  if (!isa<AddOp, SubOp, MulOp>(op) || readers.size() < 2 || readers.size() > mostReaders)
    return false;
  Value left = op->getOperand(0), right = op->getOperand(1);
  if (isOfPlanes(left))
    std::swap(left, right);
  return isOfPlanes(right) && !isOfPlanes(left) && !left.hasOneUse() &&
         llvm::all_of(readers, [&](Operation *reader) {
           FusionRole role = roleOf(reader);
           return reader->getBlock() == op->getBlock() &&
                  (role == FusionRole::Pointwise || role == FusionRole::RowWise);
         });
}

void passes::recompute(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    llvm::SetVector<Operation *> readers(op.user_begin(), op.user_end());
    if (!isCheap(&op, readers.getArrayRef()))
      continue;
    remark::passed(op.getLoc(), remark::RemarkOpts::name("recomputed").category("fuse"))
        << ("'" + op.getName().stripDialect() + "' is computed by each of its " +
            Twine(readers.size()) + " readers")
               .str();
    for (Operation *reader : readers.getArrayRef().drop_back()) {
      OpBuilder builder(reader);
      reader->replaceUsesOfWith(op.getResult(0), builder.clone(op)->getResult(0));
    }
  }
}
