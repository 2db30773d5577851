//===- Procedures.cpp - ops with code of their own ------------------------===//

#include "codegen/lower/Builder.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::lower;
using namespace mlir;

/// As in codegen/procedures/Types.h.
static constexpr int64_t mostTasks = 16;

/// Extents before an axis, of it, and behind it.
static std::vector<DimExpr> around(Type type, int64_t axis) {
  SmallVector<DimExpr> dims = dimsOf(type);
  return {numElements(ArrayRef(dims).take_front(axis)), dims[axis],
          numElements(ArrayRef(dims).drop_front(axis + 1))};
}

static bool isAtLeast(const DimExpr &a, const DimExpr &b, const DimExpr::BoundsMap &bounds) {
  std::optional<int64_t> low = (a - b).bounds(bounds).lower;
  return low && *low >= 0;
}

/// A task has room for what it keeps where that is surely few of many
/// (codegen/procedures/TopK.cpp), else for the row twice.
static ProcedureCall topk(TopkOp op, const DimExpr::BoundsMap &bounds) {
  std::vector<DimExpr> sizes = around(op.getX().getType(), op.getAxis());
  DimExpr extent = sizes[1], kept = op.getK().getDims()[0];
  sizes.push_back(kept);
  bool isWide = !isAtLeast(DimExpr(int64_t(1) << 32), extent, bounds);
  int64_t itemBytes = isWide || byteSize(*dtypeOf(op.getX().getType())) == 8 ? 16 : 8;
  bool isFew = isAtLeast(extent, kept * DimExpr(8), bounds);
  DimExpr tasks = DimExpr::min(sizes[0] * sizes[2], DimExpr(mostTasks));
  DimExpr items = isFew ? kept : extent * DimExpr(2);
  return {{"topk", {{"largest", op.getLargest()}, {"wide", isWide}}, std::move(sizes)},
          tasks * items * DimExpr(itemBytes)};
}

template <typename Op> static ProcedureCall scan(Op op, bool product) {
  return {{"scan",
           {{"product", product}, {"reverse", op.getReverse()}, {"exclusive", op.getExclusive()}},
           around(op.getX().getType(), op.getAxis())},
          std::nullopt};
}

template <typename Op> static ProcedureCall indexWrite(Op op, StringRef name) {
  std::vector<DimExpr> sizes = around(op.getX().getType(), op.getAxis());
  sizes.push_back(dimsOf(op.getIndices().getType())[0]);
  DType type = *dtypeOf(op.getIndices().getType());
  return {
      {name.str(), {{"bytes", byteSize(type)}, {"signed", type != DType::U8}}, std::move(sizes)},
      std::nullopt};
}

/// Of slices of at most 8 elements there is one task for each outer index, with wide sums of all
/// along the extent; of longer ones the indices lie sorted by position
/// (codegen/procedures/IndexWrite.cpp).
static ProcedureCall indexAdd(IndexAddOp op, const DimExpr::BoundsMap &bounds) {
  ProcedureCall call = indexWrite(op, "index_add");
  const std::vector<DimExpr> &sizes = call.procedure.sizes;
  DimExpr outer = sizes[0], extent = sizes[1], inner = sizes[2], count = sizes[3], lanes(8);
  DimExpr sums = DimExpr::min(outer, DimExpr(mostTasks)) * extent * DimExpr::min(inner, lanes);
  DimExpr sorted = extent + DimExpr(2) + count;
  DimExpr numbers = isAtLeast(inner, lanes + DimExpr(1), bounds) ? sorted
                    : isAtLeast(lanes, inner, bounds)            ? sums
                                                                 : sums + sorted;
  call.scratchBytes = numbers * DimExpr(8);
  return call;
}

template <typename Op> static ProcedureCall indexExtreme(Op op, bool largest) {
  ProcedureCall call = indexWrite(op, "index_extreme");
  call.procedure.constants["largest"] = largest;
  return call;
}

std::optional<ProcedureCall> lower::procedureOf(Operation *op, const DimExpr::BoundsMap &bounds) {
  return llvm::TypeSwitch<Operation *, std::optional<ProcedureCall>>(op)
      .Case([&](TopkOp op) { return topk(op, bounds); })
      .Case([&](CumsumOp op) { return scan(op, false); })
      .Case([&](CumprodOp op) { return scan(op, true); })
      .Case([&](FindOp op) {
        return ProcedureCall{{"find", {}, {dimsOf(op.getMask().getType())[0]}}, std::nullopt};
      })
      .Case([&](IndexCopyOp op) { return indexWrite(op, "index_copy"); })
      .Case([&](IndexAddOp op) { return indexAdd(op, bounds); })
      .Case([&](IndexMaxOp op) { return indexExtreme(op, true); })
      .Case([&](IndexMinOp op) { return indexExtreme(op, false); })
      .Default(std::nullopt);
}

/// The kernel is the op: it takes the kernel's arguments and gives its results.
bool SpecBuilder::lowerProcedure(Operation &op) {
  std::optional<ProcedureCall> call = procedureOf(&op, declaredBounds(kernel));
  Block &body = kernel.getBody().front();
  if (!call || op.getNextNode() != body.getTerminator() || &op != &body.front() ||
      !llvm::equal(op.getOperands(), body.getArguments()) ||
      !llvm::equal(op.getResults(), body.getTerminator()->getOperands()))
    return false;
  spec.procedure = std::move(call->procedure);
  if (!call->scratchBytes)
    return true;
  spec::Operand scratch;
  scratch.name = "scratch0";
  scratch.type = DType::U8;
  scratch.shape = {*call->scratchBytes};
  scratch.strides = {DimExpr(1)};
  scratch.alignment = 64;
  scratch.use = spec::Operand::Use::Scratch;
  spec.operands.push_back(std::move(scratch));
  return true;
}
