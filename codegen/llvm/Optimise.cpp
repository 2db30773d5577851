//===- Optimise.cpp - LLVM's passes over the code of a kernel -------------===//

#include "codegen/llvm/Optimise.h"

#include "llvm/Passes/PassBuilder.h"

using namespace llvm;

void kiln::codegen::optimise(Module &module, TargetMachine *machine, OptimizationLevel level,
                             LoopPasses loopPasses) {
  PipelineTuningOptions tuning;
  tuning.LoopVectorization = tuning.SLPVectorization = loopPasses.vectorises;
  tuning.LoopUnrolling = tuning.LoopInterleaving = loopPasses.unrolls;
  PassBuilder builder(machine, tuning);
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager graphs;
  ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  builder.buildPerModuleDefaultPipeline(level).run(module, modules);
}
