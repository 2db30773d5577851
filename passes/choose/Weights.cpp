//===- Weights.cpp - which operand of a kernel is a trained weight ----------===//

#include "passes/choose/Weights.h"

#include <cmath>
#include <limits>

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

static bool isAnchor(Operation &op) {
  auto fusable = dyn_cast<Fusable>(op);
  FusionRole role = fusable ? fusable.getFusionRole() : FusionRole::Opaque;
  return role == FusionRole::Contraction || role == FusionRole::Convolution ||
         role == FusionRole::Window || role == FusionRole::RowWise || role == FusionRole::Procedure;
}

Operation *passes::anchorOf(KernelOp kernel) {
  for (Operation &op : kernel.getBody().front())
    if (isAnchor(op))
      return &op;
  return nullptr;
}

bool passes::hasFurtherAnchor(KernelOp kernel) {
  return llvm::count_if(kernel.getBody().front(), isAnchor) > 1;
}

int64_t passes::groupOf(Operation *anchor) {
  auto isByte = [](Value value) {
    std::optional<DType> type = dtypeOf(value.getType());
    return type == DType::U8 || type == DType::I8;
  };
  FusionRole role = cast<Fusable>(anchor).getFusionRole();
  bool isSum = role == FusionRole::Contraction || role == FusionRole::Convolution;
  bool isOfBytes = isSum && isByte(anchor->getOperand(0)) && isByte(anchor->getOperand(1)) &&
                   dtypeOf(anchor->getResult(0).getType()) == DType::I32;
  return isOfBytes ? 4 : 1;
}

bool passes::hasColumns(Operation *anchor) {
  return isa<MatmulOp, QMatmulOp>(anchor) && !anchor->hasAttr("transpose_b");
}

/// What the anchor's second operand is in memory: f32, what the kernel widens to f32, or bytes that
/// are summed as integers.
static BlockArgument storedOperand(Operation *anchor) {
  Value value = anchor->getOperand(1);
  bool isReal = dtypeOf(value.getType()) == DType::F32;
  if ((!isReal && groupOf(anchor) == 1) || !value.hasOneUse())
    return {};
  Operation *op = value.getDefiningOp();
  if (isReal && isa_and_nonnull<CastOp, DequantizeOp>(op) && !hasColumns(anchor))
    value = op->getOperand(0);
  auto stored = dyn_cast<BlockArgument>(value);
  return stored && stored.hasOneUse() ? stored : BlockArgument();
}

BlockArgument passes::weightOf(Operation *anchor, const Launches &launches, std::string &reason) {
  BlockArgument weight = storedOperand(anchor);
  if (!weight) {
    reason = "the second operand is no tensor of f32 or summed bytes in memory that is read once";
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

BlockArgument passes::computedWeightOf(Operation *anchor, const Launches &launches) {
  BlockArgument weight = storedOperand(anchor);
  auto isKnown = [](const DimExpr &dim) { return dim.constantValue().has_value(); };
  if (!weight || dtypeOf(weight.getType()) != DType::F32 ||
      !llvm::all_of(dimsOf(weight.getType()), isKnown))
    return {};
  auto found = launches.find(anchor->getParentOfType<KernelOp>().getSymNameAttr());
  if (found == launches.end())
    return {};
  bool isComputed = llvm::none_of(found->second, [&](LaunchOp launch) {
    return launch.getOperands()[weight.getArgNumber()].getDefiningOp<GetOp>();
  });
  return isComputed ? weight : BlockArgument();
}

bool passes::areBelow(BlockArgument argument, const Launches &launches, double bound) {
  auto kernel = cast<KernelOp>(argument.getOwner()->getParentOp());
  auto module = kernel->getParentOfType<ModuleOp>();
  WeightStore &store = module.getContext()->getLoadedDialect<KilnDialect>()->getWeights();
  auto found = launches.find(kernel.getSymNameAttr());
  return found != launches.end() && llvm::all_of(found->second, [&](LaunchOp launch) {
           auto get = launch.getOperands()[argument.getArgNumber()].getDefiningOp<GetOp>();
           auto weight = get ? module.lookupSymbol<WeightOp>(get.getWeight()) : WeightOp();
           const WeightView *view =
               weight && weight.getHash() ? store.find(*weight.getHash()) : nullptr;
           if (!view)
             return false;
           Tensor tensor = Tensor::fromBytes(view->type, view->shape, view->bytes.data());
           return llvm::all_of(tensor.floats,
                               [&](double value) { return std::fabs(value) < bound; });
         });
}

void passes::markScales(ModuleOp module, const Launches &launches) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (auto kernel : module.getOps<KernelOp>())
    kernel.walk([&](DequantizeOp op) {
      Value stored = op.getScale();
      if (auto wider = stored.getDefiningOp<CastOp>();
          wider && byteSize(*dtypeOf(wider.getType())) > byteSize(*dtypeOf(wider.getX().getType())))
        stored = wider.getX();
      auto scale = dyn_cast<BlockArgument>(stored);
      if (scale && areBelow(scale, launches, infinity))
        op->setAttr("kiln.finite", UnitAttr::get(module.getContext()));
    });
}
