//===- Pack.cpp - weights in the layout that templates read ---------------===//
//
// Needs: kernels with `kiln.template`, and weights in the store.
// Guarantees: a weight that the templates linear and conv2d multiply by, if every launch gives a
// kiln.get there, comes packed in panels of 16 outputs (`kiln.panel` on the kernel's argument); a
// depthwise weight comes as [kh, kw, channels]. The kernel's body restores the logical shape first, so
// that its meaning stays what it says. Packing itself is evaluated at once (kiln-fold-weights).
// Reports: each packed weight; each one that could not be, with the reason.
//
//===----------------------------------------------------------------------===//

#include "ir/KilnOps.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"

namespace kiln::passes {
#define GEN_PASS_DEF_PACK
#include "passes/Passes.h.inc"
} // namespace kiln::passes

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

namespace {

/// A kernel's weight: the argument, and how its value is permuted before it is packed.
struct Packing {
  BlockArgument argument;
  SmallVector<int64_t> order; ///< outputs first
  bool panels = true;         ///< else only permuted
  Operation *reader = nullptr;
};

std::optional<Packing> findWeight(KernelOp kernel) {
  std::optional<Packing> found;
  StringRef name = kernel->getAttrOfType<StringAttr>("kiln.template").getValue();
  kernel.walk([&](Operation *op) {
    if (auto product = dyn_cast<MatmulOp>(op); product && name == "linear") {
      if (auto argument = dyn_cast<BlockArgument>(product.getB()))
        found = Packing{argument, product.getTransposeB() ? SmallVector<int64_t>{0, 1} : SmallVector<int64_t>{1, 0}, true, op};
    } else if (auto conv = dyn_cast<Conv2dOp>(op); conv && conv.getChannelsLast()) {
      auto argument = dyn_cast<BlockArgument>(conv.getWeight());
      if (argument && name == "conv2d")
        found = Packing{argument, {0, 1, 2, 3}, true, op};
      else if (argument && name == "depthwise")
        found = Packing{argument, {1, 2, 0, 3}, false, op};
    }
  });
  return found;
}

SmallVector<int64_t> inverse(ArrayRef<int64_t> order) {
  SmallVector<int64_t> result(order.size());
  for (auto [i, axis] : llvm::enumerate(order))
    result[axis] = i;
  return result;
}

Value permute(OpBuilder &b, Location loc, Value value, ArrayRef<int64_t> order) {
  return llvm::is_sorted(order) ? value : PermuteOp::create(b, loc, value, order).getResult();
}

struct Pack : passes::impl::PackBase<Pack> {
  void runOnOperation() override {
    for (auto kernel : llvm::to_vector(getOperation().getOps<KernelOp>()))
      if (std::optional<Packing> packing = findWeight(kernel))
        pack(kernel, *packing);
    OpPassManager fold(ModuleOp::getOperationName());
    fold.addPass(passes::createFoldWeights());
    if (failed(runPipeline(fold, getOperation())))
      signalPassFailure();
  }

  void pack(KernelOp kernel, Packing &packing);
  Value packAtLaunch(OpBuilder &b, Location loc, Value weight, const Packing &packing);
  void restore(KernelOp kernel, const Packing &packing, Type packedType);
};

Value Pack::packAtLaunch(OpBuilder &b, Location loc, Value weight, const Packing &packing) {
  Value value = permute(b, loc, weight, packing.order);
  if (!packing.panels)
    return value;
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[0] = (shape[0] + 15) / 16;
  shape.push_back(16);
  return PackOp::create(b, loc, RankedTensorType::get(shape, type.getElementType()), value);
}

/// Changes the argument's type and puts in front of the body what gives the logical weight back.
void Pack::restore(KernelOp kernel, const Packing &packing, Type packedType) {
  MLIRContext *context = &getContext();
  Value argument = packing.argument;
  auto logical = cast<RankedTensorType>(argument.getType());
  argument.setType(packedType);
  OpBuilder b(&kernel.getBody().front(), kernel.getBody().front().begin());
  Location loc = packing.reader->getLoc();
  Operation *first = nullptr;
  Value value = argument;
  SmallVector<int64_t> ordered; // the logical weight with its outputs first
  for (int64_t axis : packing.order)
    ordered.push_back(logical.getDimSize(axis));
  if (packing.panels) {
    int64_t rank = logical.getRank();
    SmallVector<int64_t> lanes = {0, rank};
    for (int64_t i = 1; i < rank; ++i)
      lanes.push_back(i);
    value = PermuteOp::create(b, loc, value, lanes);
    first = value.getDefiningOp();
    SmallVector<DimExpr> rounded(ordered.begin(), ordered.end()), exact = rounded, starts(rank, DimExpr(0));
    rounded[0] = DimExpr((ordered[0] + 15) / 16 * 16);
    value = ReshapeOp::create(b, loc, value, DimsAttr::get(context, rounded));
    if (rounded[0] != exact[0])
      value = SliceOp::create(b, loc, value, DimsAttr::get(context, starts), DimsAttr::get(context, exact), SmallVector<int64_t>(rank, 1));
    kernel.setArgAttr(packing.argument.getArgNumber(), "kiln.panel", b.getDenseI64ArrayAttr(ordered));
    kernel.setArgAttr(packing.argument.getArgNumber(), "kiln.align", b.getI64IntegerAttr(64));
  }
  value = permute(b, loc, value, inverse(packing.order));
  if (!first)
    first = value.getDefiningOp();
  if (first)
    argument.replaceAllUsesExcept(value, first);
  SmallVector<Type> types(kernel.getArgumentTypes());
  types[packing.argument.getArgNumber()] = packedType;
  kernel.setFunctionType(b.getFunctionType(types, kernel.getResultTypes()));
}

void Pack::pack(KernelOp kernel, Packing &packing) {
  unsigned number = packing.argument.getArgNumber();
  SmallVector<LaunchOp> launches;
  bool trained = true;
  getOperation().walk([&](LaunchOp launch) {
    if (launch.getKernel() != kernel.getSymName())
      return;
    launches.push_back(launch);
    trained &= launch.getOperand(number).getDefiningOp<GetOp>() != nullptr;
  });
  if (!trained || !packing.argument.hasOneUse()) {
    kernel.emitRemark() << "missed: the weight of '" << kernel.getSymName() << "' is not packed, "
                        << (trained ? "it is read in more than one way" : "it is computed");
    if (kernel->getAttrOfType<StringAttr>("kiln.template").getValue() == "linear")
      kernel->setAttr("kiln.template", StringAttr::get(&getContext(), "matmul"));
    return;
  }
  Type packedType;
  for (LaunchOp launch : launches) {
    OpBuilder b(launch);
    Value packed = packAtLaunch(b, launch.getLoc(), launch.getOperand(number), packing);
    launch.setOperand(number, packed);
    packedType = packed.getType();
  }
  restore(kernel, packing, packedType);
  kernel.emitRemark() << "packed the weight of '" << kernel.getSymName() << "' " << (packing.panels ? "in panels of 16" : "with channels last");
}

} // namespace
