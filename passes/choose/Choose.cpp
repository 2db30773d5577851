//===- Choose.cpp - a generator and a template for each kernel ------------===//
//
// Needs: kernels formed by kiln-fuse or kiln-outline.
// Guarantees: every kernel carries `kiln.generator` and `kiln.template`, the name of a row of
// ir/target/Templates.def. Whether the generator's template takes the kernel's specification is known
// only when it is generated; the LLVM generator takes what Halide refuses.
// Reports: for each kernel its template and the reason.
//
//===----------------------------------------------------------------------===//

#include "ir/KilnOps.h"
#include "passes/Passes.h"

namespace kiln::passes {
#define GEN_PASS_DEF_CHOOSE
#include "passes/Passes.h.inc"
} // namespace kiln::passes

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

namespace {
struct Choice {
  StringRef templateName, reason;
};

/// By the anchor's role.
Choice choose(KernelOp kernel) {
  Choice choice{"pointwise", "there is no reduction"};
  kernel.walk([&](Fusable op) {
    switch (op.getFusionRole()) {
    case FusionRole::Contraction: {
      auto product = cast<MatmulOp>(op.getOperation());
      bool trained = isa<BlockArgument>(product.getB()) && product.getB().getType().getRank() == 2;
      choice = trained ? Choice{"linear", "the right matrix is one for all rows"} : Choice{"matmul", "both matrices are computed"};
      break;
    }
    case FusionRole::Convolution: {
      auto conv = cast<Conv2dOp>(op.getOperation());
      auto weight = cast<RankedTensorType>(conv.getWeight().getType());
      int64_t groups = conv.getGroups();
      bool depthwise = groups > 1 && groups == weight.getDimSize(0);
      choice = depthwise ? Choice{"depthwise", "every channel is a group"} : Choice{"conv2d", "channels are summed"};
      break;
    }
    case FusionRole::Window: choice = {"pool", "windows of an image are reduced"}; break;
    case FusionRole::RowWise: choice = {"rowwise", "whole rows are reduced"}; break;
    default: break;
    }
  });
  return choice;
}

struct Choose : passes::impl::ChooseBase<Choose> {
  using ChooseBase::ChooseBase;
  void runOnOperation() override {
    Builder b(&getContext());
    for (auto kernel : getOperation().getOps<KernelOp>()) {
      Choice choice = choose(kernel);
      kernel->setAttr("kiln.generator", b.getStringAttr(generator));
      kernel->setAttr("kiln.template", b.getStringAttr(choice.templateName));
      kernel.emitRemark() << "kernel '" << kernel.getSymName() << "': template " << choice.templateName << " of " << generator << ", "
                          << choice.reason;
    }
  }
};
} // namespace
