//===- Resident.cpp - weights that stay in the last cache -----------------===//

#include "passes/choose/Weights.h"

#include "llvm/ADT/StringSet.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

/// What comes again and again with the launch: a loop, else the function.
static Operation *repeatedAround(Operation *op) {
  do
    op = op->getParentOp();
  while (!isa<ScanOp, WhileOp, FunctionOpInterface>(op));
  return op;
}

/// Of the weights that launches read there, each once.
static int64_t weightBytesIn(Operation *repeated) {
  int64_t bytes = 0;
  llvm::StringSet<> seen;
  repeated->walk([&](LaunchOp launch) {
    for (Value operand : launch.getOperands())
      if (auto get = operand.getDefiningOp<GetOp>(); get && seen.insert(get.getWeight()).second) {
        DimExpr count = numElements(dimsOf(get.getType()));
        bytes += byteSize(*dtypeOf(get.getType())) * count.constantValue().value_or(0);
      }
  });
  return bytes;
}

int64_t passes::weightBytesAround(LaunchOp launch) { return weightBytesIn(repeatedAround(launch)); }

void passes::markResident(ModuleOp module, const Launches &launches) {
  llvm::DenseMap<Operation *, int64_t> bytes;
  auto stays = [&](LaunchOp launch) {
    Operation *repeated = repeatedAround(launch);
    auto [it, isNew] = bytes.try_emplace(repeated, 0);
    if (isNew)
      it->second = weightBytesIn(repeated);
    return it->second <= residentBytes;
  };
  Builder builder(module.getContext());
  for (auto kernel : module.getOps<KernelOp>()) {
    auto name = kernel->getAttrOfType<StringAttr>("kiln.template");
    auto found = launches.find(kernel.getSymNameAttr());
    if (name && name == "linear" && found != launches.end() && llvm::all_of(found->second, stays))
      kernel->setAttr("kiln.tile", builder.getDictionaryAttr(builder.getNamedAttr(
                                       "resident", builder.getI64IntegerAttr(1))));
  }
}
