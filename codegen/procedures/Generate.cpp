//===- Generate.cpp - procedures as bitcode of kernels --------------------===//

#include "codegen/procedures/Generate.h"

#include "codegen/host/Formula.h"
#include "codegen/llvm/Optimise.h"
#include "codegen/procedures/Code.h"

#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;

static Error error(const Twine &text) { return createStringError(inconvertibleErrorCode(), text); }

/// SYMBOL(ctx, bufs, dims): computes the sizes and calls the procedure with the constants.
static void emitEntry(Module &module, const spec::KernelSpec &spec, Function &procedure,
                      StringRef symbol) {
  IRBuilder<> builder(module.getContext());
  Type *ptr = builder.getPtrTy(), *i64 = builder.getInt64Ty();
  auto *type = FunctionType::get(builder.getInt32Ty(), {ptr, ptr, ptr}, false);
  auto *entry = Function::Create(type, GlobalValue::ExternalLinkage, symbol, module);
  builder.SetInsertPoint(BasicBlock::Create(module.getContext(), "", entry));
  host::DimValues dims;
  for (auto [i, dim] : enumerate(spec.symbols))
    dims[dim.name] = builder.CreateLoad(i64, builder.CreateConstGEP1_64(i64, entry->getArg(2), i));
  const spec::Procedure &call = *spec.procedure;
  Value *sizes = builder.CreateAlloca(ArrayType::get(i64, std::max<size_t>(call.sizes.size(), 1)));
  for (auto [i, size] : enumerate(call.sizes))
    builder.CreateStore(host::emitDimExpr(builder, size, dims),
                        builder.CreateConstGEP1_64(i64, sizes, i));
  SmallVector<Value *> arguments = {entry->getArg(0), entry->getArg(1), sizes};
  for (int64_t constant : constantsOf(call))
    arguments.push_back(builder.getInt64(uint64_t(constant)));
  builder.CreateRet(builder.CreateCall(&procedure, arguments));
}

/// Removes all that the entry does not need, under the target's attributes, and lets LLVM make the
/// rest for the constants.
static void specialise(Module &module, const TargetFacts &facts, TargetMachine &machine,
                       StringRef symbol) {
  for (GlobalValue &value : module.global_values())
    if (!value.isDeclaration() && value.getName() != symbol) {
      value.setLinkage(GlobalValue::InternalLinkage);
      value.setVisibility(GlobalValue::DefaultVisibility);
      if (auto *object = dyn_cast<GlobalObject>(&value))
        object->setComdat(nullptr);
    }
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    for (StringRef attribute : {"target-cpu", "tune-cpu", "target-features"})
      function.removeFnAttr(attribute);
    function.addFnAttr("target-cpu", facts.cpu);
    if (!facts.features.empty())
      function.addFnAttr("target-features", facts.features);
    function.addFnAttr("prefer-vector-width", std::to_string(facts.vectorBytes * 8));
    function.addFnAttr(Attribute::NoUnwind);
  }
  optimise(module, &machine, OptimizationLevel::O2, {.unrolls = true, .vectorises = true});
}

Expected<GeneratedKernel> codegen::generateProcedure(const spec::KernelSpec &spec,
                                                     const TargetFacts &facts, StringRef symbol) {
  if (std::string text = spec::verify(spec); !text.empty())
    return error(text);
  if (!spec.procedure)
    return error("a kernel of stages is no procedure");
  Expected<std::unique_ptr<TargetMachine>> machine = makeMachine(facts);
  if (!machine)
    return machine.takeError();
  LLVMContext context;
  Expected<std::unique_ptr<Module>> module = loadProcedures(false, context);
  if (!module)
    return module.takeError();
  std::string name = functionOf(spec);
  Function *procedure = (*module)->getFunction(name);
  if (!procedure)
    return error("there is no code for '" + name + "'");
  emitEntry(**module, spec, *procedure, symbol);
  specialise(**module, facts, **machine, symbol);
  std::string text;
  raw_string_ostream stream(text);
  if (verifyModule(**module, &stream))
    return error("a procedure's kernel is malformed: " + text);
  GeneratedKernel result;
  raw_string_ostream out(result.bitcode);
  WriteBitcodeToFile(**module, out);
  result.isParallel = true;
  return result;
}
