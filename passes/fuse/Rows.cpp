//===- Rows.cpp - kernels that share rows become one ------------------------===//
//
// A row is what one position of all dimensions but the last holds. Where a kernel reads nothing
// but whole rows of its own position from another, and nobody else reads those, one kernel computes
// both for a few rows at a time: norms, softmax behind scores, attention whole. What lies between
// never leaves the first caches.
//
//===----------------------------------------------------------------------===//

#include "passes/Build.h"
#include "passes/fuse/Groups.h"

#include "mlir/IR/Remarks.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

/// Bytes of a row that the generators can keep on the stack, all values counted, beside a product
/// of matrices; and those of its products, so that they keep four rows: the others take over their
/// memory.
static constexpr int64_t mostKept = 61440, mostScores = 16384;
/// Rows from which on there are enough for all processors, however long they are; bytes of a row up
/// to which fewer do too.
static constexpr int64_t manyRows = 16, shortRow = 65536;
/// Ops of a kernel of rows.
static constexpr size_t mostOps = 48;

static SmallVector<DimExpr> rowsOf(Value value) {
  SmallVector<DimExpr> dims = dimsOf(value.getType());
  if (!dims.empty())
    dims.pop_back();
  return dims;
}

/// Whether the op computes rows of `rows` from rows at the same position.
static bool isRowOp(Operation *op, const SmallVector<DimExpr> &rows) {
  if (op->getNumResults() != 1 || rowsOf(op->getResult(0)) != rows)
    return false;
  switch (roleOf(op)) {
  case FusionRole::Pointwise:
    return true;
  case FusionRole::Contraction: {
    auto matmul = dyn_cast<MatmulOp>(op);
    return matmul && !isWidenedLeaf(matmul.getB()) && // those have a template
           rowsOf(matmul.getA()) == rows;
  }
  case FusionRole::RowWise: {
    int64_t last = static_cast<int64_t>(rows.size());
    if (auto softmax = dyn_cast<SoftmaxOp>(op))
      return static_cast<int64_t>(softmax.getAxis()) == last;
    if (auto softmax = dyn_cast<LogSoftmaxOp>(op))
      return static_cast<int64_t>(softmax.getAxis()) == last;
    auto axes = op->getAttrOfType<DenseI64ArrayAttr>("axis");
    auto keepdims = op->getAttrOfType<BoolAttr>("keepdims");
    return axes && axes.asArrayRef() == ArrayRef(last) && keepdims && keepdims.getValue();
  }
  default:
    return false;
  }
}

/// Bytes that a row of the op's value takes where it is kept.
static std::optional<int64_t> bytesOf(Operation *op, const DimExpr::BoundsMap &bounds) {
  Type type = op->getResult(0).getType();
  std::optional<int64_t> most = dimsOf(type).back().bounds(bounds).upper;
  if (!most)
    return std::nullopt;
  return *most * std::max<int64_t>(byteSize(*dtypeOf(type)), 4);
}

namespace {
/// Who reads a value: ops of kernels, through broadcasts, of which each kernel has its own.
struct Readers {
  SmallVector<Operation *> ops;

  explicit Readers(Value value) { add(value); }
  void add(Value value) {
    for (Operation *user : value.getUsers())
      if (isa<BroadcastToOp>(user))
        add(user->getResult(0));
      else
        ops.push_back(user);
  }
};
} // namespace

/// Whether an op of the groups makes the second factor of the product: all its rows are read.
static bool isWholeRead(Operation *op, const Group &producer, const Group &reader) {
  auto matmul = dyn_cast<MatmulOp>(op);
  Operation *factor = matmul ? matmul.getB().getDefiningOp() : nullptr;
  while (isa_and_nonnull<BroadcastToOp>(factor))
    factor = factor->getOperand(0).getDefiningOp();
  return factor &&
         (llvm::is_contained(producer.ops, factor) || llvm::is_contained(reader.ops, factor));
}

/// Whether all ops of both groups are of the rows of the reader's result, and what is kept of them
/// fits.
static bool fitTogether(const Group &producer, const Group &reader,
                        const DimExpr::BoundsMap &bounds) {
  SmallVector<DimExpr> rows = rowsOf(reader.result());
  DimExpr count = numElements(rows);
  if (rows.empty() || count == DimExpr(1))
    return false;
  bool hasProduct = false;
  std::optional<int64_t> kept = 0, scores = 0, longest = 0;
  auto grow = [](std::optional<int64_t> &sum, std::optional<int64_t> bytes) {
    sum = sum && bytes ? std::optional(*sum + *bytes) : std::nullopt;
  };
  for (const Group *group : {&producer, &reader})
    for (Operation *op : group->ops) {
      if (!isRowOp(op, rows) || isWholeRead(op, producer, reader))
        return false;
      bool isProduct = roleOf(op) == FusionRole::Contraction;
      hasProduct |= isProduct;
      std::optional<int64_t> bytes = bytesOf(op, bounds);
      longest = longest && bytes ? std::optional(std::max(*longest, *bytes)) : std::nullopt;
      if (op == reader.ops.back())
        continue;
      grow(kept, bytes);
      if (roleOf(op) == FusionRole::RowWise)
        grow(kept, bytes); // exponentials and their quotients
      if (isProduct)
        grow(scores, bytes);
    }
  if (hasProduct)
    return kept && *kept <= mostKept && scores && *scores <= mostScores;
  std::optional<int64_t> known = count.constantValue();
  return (known && *known >= manyRows) || (longest && *longest <= shortRow);
}

void Grouping::joinRows() {
  DimExpr::BoundsMap bounds = enclosingBounds(block.getParentOp());
  std::vector<Group *> readers = sorted();
  for (Group *reader : llvm::reverse(readers))
    for (bool isSettled = reader->ops.empty(); !isSettled;) {
      isSettled = true;
      std::vector<Group *> producers = sorted();
      for (Group *producer : llvm::reverse(producers)) {
        bool isRead =
            producer != reader && !producer->ops.empty() && producer->results().size() == 1;
        if (!isRead || producer->ops.size() + reader->ops.size() > mostOps)
          continue;
        Readers uses(producer->result());
        if (uses.ops.empty() ||
            !llvm::all_of(uses.ops, [&](Operation *op) { return groupOf.lookup(op) == reader; }) ||
            !fitTogether(*producer, *reader, bounds))
          continue;
        remark::passed(producer->ops.back()->getLoc(),
                       remark::RemarkOpts::name("rows").category("fuse"))
            << ("'" + producer->ops.back()->getName().stripDialect() +
                "' is computed row by row in the kernel of '" +
                reader->ops.back()->getName().stripDialect() + "'")
                   .str();
        std::vector<Operation *> ops = std::move(producer->ops);
        producer->ops.clear();
        add(*reader, ops);
        isSettled = false;
        break;
      }
    }
}
