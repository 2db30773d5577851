//===- SingleLanes.cpp - masked stores of one known lane ------------------===//

#include "codegen/llvm/SingleLanes.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"

using namespace llvm;

/// The only lane of a constant mask that may be set; nothing for all other masks.
static std::optional<unsigned> onlyLane(const Value *value) {
  auto *mask = dyn_cast<Constant>(value);
  auto *type = dyn_cast<FixedVectorType>(value->getType());
  if (!mask || !type)
    return std::nullopt;
  std::optional<unsigned> lane;
  for (unsigned i = 0; i < type->getNumElements(); ++i) {
    Constant *bit = mask->getAggregateElement(i);
    if (bit && bit->isNullValue())
      continue;
    if (lane || !bit)
      return std::nullopt;
    lane = i;
  }
  return lane;
}

void kiln::codegen::storeSingleLanes(Module &module) {
  for (Function &function : module)
    for (Instruction &instruction : make_early_inc_range(instructions(function))) {
      auto *store = dyn_cast<IntrinsicInst>(&instruction);
      if (!store || store->getIntrinsicID() != Intrinsic::masked_store)
        continue;
      Value *value = store->getArgOperand(0), *mask = store->getArgOperand(store->arg_size() - 1);
      std::optional<unsigned> lane = onlyLane(mask);
      if (!lane)
        continue;
      IRBuilder<> b(store);
      Value *element = b.CreateExtractElement(value, *lane);
      Value *pointer =
          b.CreateConstInBoundsGEP1_64(element->getType(), store->getArgOperand(1), *lane);
      Align align = commonAlignment(store->getParamAlign(1).valueOrOne(),
                                    *lane * element->getType()->getScalarSizeInBits() / 8);
      b.CreateAlignedStore(element, pointer, align);
      store->eraseFromParent();
    }
}
