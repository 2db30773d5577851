//===- Procedure.cpp - kernels whose code is written ----------------------===//

#include "codegen/cuda/Procedure.h"

#include "codegen/cuda/Emitter.h"
#include "codegen/host/Formula.h"
#include "codegen/procedures/Code.h"

#include "llvm/IR/IRBuilder.h"

using namespace kiln;
using namespace kiln::cuda;
using namespace llvm;

/// More than a chip runs at once, few enough where most find nothing to do.
static constexpr int64_t mostBlocks = 1 << 12;

/// Parts that the mask of a `find` is cut into: as in codegen/procedures/device/Find.cpp.
static DimExpr partsOf(const DimExpr &extent) {
  return DimExpr::min(DimExpr::floorDiv(extent + DimExpr(64), DimExpr(64)), DimExpr(4096));
}

ProcedurePlan cuda::planProcedure(const spec::KernelSpec &spec) {
  ProcedurePlan plan;
  const spec::Procedure &procedure = *spec.procedure;
  const std::vector<DimExpr> &sizes = procedure.sizes;
  std::string function = codegen::functionOf(spec);
  auto add = [&](const std::string &suffix, const DimExpr &points) {
    DimExpr full = DimExpr::floorDiv(points + DimExpr(blockThreads - 1), DimExpr(blockThreads));
    plan.grids.push_back({function + suffix, points, DimExpr::min(full, DimExpr(mostBlocks))});
  };
  if (procedure.name == "scan") {
    add("", sizes[0] * sizes[2]);
    plan.missed = "a thread totals a whole row";
  } else if (procedure.name == "topk") {
    add("", sizes[0] * sizes[1] * sizes[2]);
    plan.missed = "each element is compared with all of its row";
  } else if (procedure.name == "find") {
    plan.scratchBytes.push_back(partsOf(sizes[0]) * DimExpr(8));
    add("_0", partsOf(sizes[0]));
    add("_1", partsOf(sizes[0]));
  } else if (StringRef(procedure.name).starts_with("index_")) {
    // Sums have scratch memory among their operands, with room for an index for each position.
    if (procedure.name == "index_add")
      plan.missed = "a thread sums all that falls on its place";
    else if (procedure.name == "index_extreme")
      plan.missed = "a thread looks at all that falls on its place";
    if (procedure.name != "index_add")
      plan.scratchBytes.push_back(sizes[1] * DimExpr(8));
    DimExpr slices = sizes[0] * sizes[2];
    add("_0", sizes[1] * slices);
    add("_1", sizes[3] * DimExpr::min(slices, DimExpr(1)));
    add("_2", sizes[3] * slices);
  }
  return plan;
}

std::string cuda::print(const ProcedurePlan &plan) {
  std::string text;
  for (const DimExpr &bytes : plan.scratchBytes)
    text += "scratch: " + bytes.str() + " bytes\n";
  for (const ProcedurePlan::Grid &grid : plan.grids)
    text += "grid " + grid.function + ": " + grid.points.str() + " points, a thread each, " +
            grid.blocks.str() + " blocks of " + std::to_string(blockThreads) + " threads\n";
  return text;
}

/// The entry point: the operands and scratch memory as one array, the sizes as another, and the
/// constants, for the function of the grid.
static void emitGrid(Module &module, const spec::KernelSpec &spec, const ProcedurePlan &plan,
                     Function &callee, StringRef name) {
  IRBuilder<> b(module.getContext());
  size_t buffers = spec.operands.size() + plan.scratchBytes.size();
  std::vector<Type *> types(buffers, b.getPtrTy(globalSpace));
  types.insert(types.end(), spec.symbols.size(), b.getInt64Ty());
  auto *kernel = Function::Create(FunctionType::get(b.getVoidTy(), types, false),
                                  GlobalValue::ExternalLinkage, name, module);
  kernel->setCallingConv(CallingConv::PTX_Kernel);
  kernel->addFnAttr("nvvm.maxntid", std::to_string(blockThreads));
  b.SetInsertPoint(BasicBlock::Create(b.getContext(), "entry", kernel));
  host::DimValues dims;
  for (auto [i, symbol] : enumerate(spec.symbols))
    dims[symbol.name] = kernel->getArg(buffers + i);
  auto fill = [&](Type *type, size_t count, function_ref<Value *(size_t)> element) {
    Value *array = b.CreateAlloca(ArrayType::get(type, std::max<size_t>(count, 1)));
    for (size_t i = 0; i < count; ++i)
      b.CreateStore(element(i), b.CreateConstGEP1_64(type, array, i));
    return array;
  };
  const spec::Procedure &procedure = *spec.procedure;
  SmallVector<Value *> arguments = {ConstantPointerNull::get(b.getPtrTy())};
  arguments.push_back(fill(b.getPtrTy(), buffers, [&](size_t i) {
    return b.CreateAddrSpaceCast(kernel->getArg(i), b.getPtrTy());
  }));
  arguments.push_back(fill(b.getInt64Ty(), procedure.sizes.size(), [&](size_t i) {
    return host::emitDimExpr(b, procedure.sizes[i], dims);
  }));
  for (int64_t constant : codegen::constantsOf(procedure))
    arguments.push_back(b.getInt64(uint64_t(constant)));
  b.CreateCall(&callee, arguments);
  b.CreateRetVoid();
}

/// Removes what nothing calls, and lets the rest become part of the entry points.
static void keepCalled(Module &module) {
  for (bool isChanged = true; isChanged;) {
    isChanged = false;
    for (Function &function : make_early_inc_range(module)) {
      bool isEntry = function.getCallingConv() == CallingConv::PTX_Kernel;
      if (isEntry || !function.use_empty())
        continue;
      function.eraseFromParent();
      isChanged = true;
    }
  }
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    // Those of the chip that the code was built for.
    for (StringRef attribute : {"target-cpu", "tune-cpu", "target-features"})
      function.removeFnAttr(attribute);
    if (function.getCallingConv() == CallingConv::PTX_Kernel)
      continue;
    function.setLinkage(GlobalValue::InternalLinkage);
    function.setVisibility(GlobalValue::DefaultVisibility);
    function.setComdat(nullptr);
    function.removeFnAttr(Attribute::NoInline);
    function.addFnAttr(Attribute::AlwaysInline);
  }
}

Expected<std::unique_ptr<Module>> cuda::emitProcedure(const spec::KernelSpec &spec,
                                                      const ProcedurePlan &plan,
                                                      const std::vector<DeviceLaunch> &launches,
                                                      LLVMContext &context) {
  auto module = codegen::loadProcedures(true, context);
  if (!module)
    return module.takeError();
  if (plan.grids.empty())
    return createStringError("procedure '" + spec.procedure->name + "' has no code for CUDA");
  for (auto [grid, launch] : zip(plan.grids, launches)) {
    Function *callee = (*module)->getFunction(grid.function);
    if (!callee)
      return createStringError("there is no code for '" + grid.function + "' for CUDA");
    emitGrid(**module, spec, plan, *callee, launch.name);
  }
  keepCalled(**module);
  return module;
}
