//===- Weights.cpp - which operand of a kernel is a trained weight ----------===//

#include "passes/choose/Weights.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

Launches passes::launchesOf(ModuleOp module) {
  Launches launches;
  module.walk(
      [&](LaunchOp launch) { launches[launch.getKernelAttr().getAttr()].push_back(launch); });
  return launches;
}

Operation *passes::anchorOf(KernelOp kernel) {
  for (Operation &op : kernel.getBody().front())
    if (auto fusable = dyn_cast<Fusable>(op)) {
      FusionRole role = fusable.getFusionRole();
      if (role == FusionRole::Contraction || role == FusionRole::Convolution ||
          role == FusionRole::Window || role == FusionRole::RowWise ||
          role == FusionRole::Procedure)
        return &op;
    }
  return nullptr;
}

/// What the anchor's second operand is in memory: f32, or what the kernel widens to f32.
static BlockArgument storedOperand(Operation *anchor) {
  Value value = anchor->getOperand(1);
  if (dtypeOf(value.getType()) != DType::F32 || !value.hasOneUse())
    return {};
  Operation *op = value.getDefiningOp();
  auto matmul = dyn_cast<MatmulOp>(anchor);
  bool isOriented = !matmul || matmul.getTransposeB();
  if (isa_and_nonnull<CastOp, DequantizeOp>(op) && isOriented)
    value = op->getOperand(0);
  auto stored = dyn_cast<BlockArgument>(value);
  return stored && stored.hasOneUse() ? stored : BlockArgument();
}

BlockArgument passes::weightOf(Operation *anchor, const Launches &launches, std::string &reason) {
  BlockArgument weight = storedOperand(anchor);
  if (!weight) {
    reason = "the second operand is no f32 tensor in memory that is read once";
    return {};
  }
  auto kernel = anchor->getParentOfType<KernelOp>();
  auto module = kernel->getParentOfType<ModuleOp>();
  auto found = launches.find(kernel.getSymNameAttr());
  if (found == launches.end()) {
    reason = "nothing launches the kernel";
    return {};
  }
  for (LaunchOp launch : found->second) {
    auto get = launch.getOperands()[weight.getArgNumber()].getDefiningOp<GetOp>();
    auto symbol = get ? module.lookupSymbol<WeightOp>(get.getWeight()) : WeightOp();
    if (!symbol || !symbol.getHash()) {
      reason = get ? "the weight has no value yet" : "the second operand is no weight";
      return {};
    }
  }
  return weight;
}
