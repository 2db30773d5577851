//===- Require.cpp - requirements of the ops of a function ----------------===//
//
// Needs: functions of kiln ops with `kiln.dims`. Guarantees: `kiln.requires` lists all that must
// hold of the dimensions for every op to be defined. Reports an error at an op that can never be.
//
//===----------------------------------------------------------------------===//

#include "ir/Requirements.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace kiln::passes {
#define GEN_PASS_DEF_REQUIRE
#include "passes/Passes.h.inc"
} // namespace kiln::passes

using namespace mlir;

namespace {
struct Require : kiln::passes::impl::RequireBase<Require> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (failed(kiln::ir::collectRequirements(function)))
        signalPassFailure();
  }
};
} // namespace
