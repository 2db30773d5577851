//===- Main.cpp - kiln-opt: passes one by one -----------------------------===//

#include "ir/KilnDialect.h"
#include "passes/Pipeline.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  kiln::registerPasses();
  mlir::registerTransformsPasses();
  mlir::DialectRegistry registry;
  registry.insert<kiln::ir::KilnDialect, mlir::func::FuncDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "Kiln's passes on the kiln dialect, e.g. kiln-opt model.mlir --kiln-simplify\n",
      registry));
}
