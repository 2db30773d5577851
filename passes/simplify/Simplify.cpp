//===- Simplify.cpp - the order of simplification -------------------------===//
//
// Needs: any module of the dialect. Guarantees: those of decompose and fold-weights, canonical
// form, no value computed twice or for nothing. Reports what the passes it runs report.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace kiln::passes;

namespace kiln::passes {
#define GEN_PASS_DEF_SIMPLIFY
#include "passes/Passes.h.inc"
} // namespace kiln::passes

namespace {
struct SimplifyPass : kiln::passes::impl::SimplifyBase<SimplifyPass> {
  void runOnOperation() override {
    OpPassManager order(ModuleOp::getOperationName());
    order.addPass(createDecompose());
    // Canonical before folding: a product that can read its weight as it is needs no transposed
    // copy.
    order.addPass(mlir::createCanonicalizerPass());
    order.addPass(createLoopInvariant());
    order.addPass(createHoistFromScan());
    order.addPass(mlir::createCSEPass());
    order.addPass(createFoldWeights());
    order.addPass(mlir::createCanonicalizerPass());
    order.addPass(mlir::createCSEPass());
    if (failed(runPipeline(order, getOperation())))
      signalPassFailure();
  }
};
} // namespace
