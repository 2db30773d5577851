//===- Choose.cpp - each kernel's generator and template --------------------===//
//
// Needs: kernels and launches (after kiln-fuse or kiln-outline).
// Guarantees: every kernel has `kiln.generator` ("halide" or "llvm") and `kiln.template`, a row of
// ir/target/Templates.def, if one fits; without one the generator is "llvm".
// Reports: a remark a kernel with the choice and its reason.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/choose/Weights.h"

#include "mlir/IR/Remarks.h"

namespace kiln::passes {
#define GEN_PASS_DEF_CHOOSE
#include "passes/Passes.h.inc"
} // namespace kiln::passes

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

namespace {
/// A template's name (empty: none) and why it was taken.
struct Choice {
  StringRef name;
  std::string reason;
};

Choice chooseConvolution(Conv2dOp op, const Launches &launches) {
  if (!op.getChannelsLast())
    return {"", "the channels are not last"};
  SmallVector<DimExpr> w = dimsOf(op.getWeight().getType());
  int64_t groups = op.getGroups();
  if (groups > 1 && w[3] == DimExpr(1) && w[0] == DimExpr(groups))
    return {"depthwise", "each channel is a group"};
  std::string reason;
  if (!weightOf(op, launches, reason))
    return {"", reason};
  std::optional<int64_t> outputs = w[0].constantValue();
  if (groups > 1 && (!outputs || *outputs / groups % 16))
    return {"", "a group's channels are no multiple of 16"};
  return {"conv2d", "the weight can be packed"};
}

Choice chooseTemplate(KernelOp kernel, const Launches &launches) {
  Operation *anchor = anchorOf(kernel);
  if (!anchor)
    return {"pointwise", "no op needs more than one element"};
  if (auto conv = dyn_cast<Conv2dOp>(anchor))
    return chooseConvolution(conv, launches);
  switch (cast<Fusable>(anchor).getFusionRole()) {
  case FusionRole::Contraction: {
    std::string reason;
    bool isFlat = dimsOf(anchor->getOperand(1).getType()).size() == 2;
    if (isFlat && weightOf(anchor, launches, reason))
      return {"linear", "the weight can be packed"};
    return {"matmul", isFlat ? reason : "both operands are stacks of matrices"};
  }
  case FusionRole::Window:
    if (!anchor->hasAttr("channels_last"))
      return {"", "the channels are not last"};
    return {"pool", "the channels are last"};
  case FusionRole::RowWise:
    return {"rowwise", "whole rows are reduced"};
  default:
    return {"", "no template has such an anchor"};
  }
}

struct Choose : passes::impl::ChooseBase<Choose> {
  using ChooseBase::ChooseBase;

  void runOnOperation() override {
    Launches launches = launchesOf(getOperation());
    Builder builder(&getContext());
    for (auto kernel : getOperation().getOps<KernelOp>()) {
      Choice choice = chooseTemplate(kernel, launches);
      if (!choice.name.empty())
        kernel->setAttr("kiln.template", builder.getStringAttr(choice.name));
      StringRef chosen = choice.name.empty() ? StringRef("llvm") : StringRef(generator);
      kernel->setAttr("kiln.generator", builder.getStringAttr(chosen));
      std::string text =
          ("'" + kernel.getName() + "': " +
           (choice.name.empty() ? "no template, "
                                : "template '" + choice.name + "' of " + chosen + ", ") +
           choice.reason)
              .str();
      auto note = remark::RemarkOpts::name("template").category("choose");
      (choice.name.empty() ? remark::missed(kernel.getLoc(), note)
                           : remark::passed(kernel.getLoc(), note))
          << text;
    }
  }
};
} // namespace
