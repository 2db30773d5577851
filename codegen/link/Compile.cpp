//===- Compile.cpp - one LLVM module of a library to an object ------------===//
#include "codegen/link/Compile.h"

#include "codegen/llvm/SingleLanes.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Analysis/CGSCCPassManager.h"
#include "llvm/Analysis/LoopAnalysisManager.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"

#include <mutex>

using namespace llvm;

// The runtime's bitcode.
asm(".pushsection .rodata\n"
    ".globl kilnRuntimeBegin\n"
    "kilnRuntimeBegin: .incbin \"" KILN_RUNTIME_PATH "\"\n"
    ".globl kilnRuntimeEnd\n"
    "kilnRuntimeEnd: .byte 0\n"
    ".popsection\n");
extern "C" const char kilnRuntimeBegin[], kilnRuntimeEnd[];

namespace kiln::link {

Expected<std::unique_ptr<TargetMachine>> makeTargetMachine() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
  });
  Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return createStringError(error);
  TargetOptions options;
  std::unique_ptr<TargetMachine> machine(target->createTargetMachine(
      triple, "x86-64", "", options, Reloc::PIC_, CodeModel::Small, CodeGenOptLevel::Aggressive));
  return machine;
}

static Expected<std::unique_ptr<Module>> parse(StringRef bitcode, StringRef name,
                                               LLVMContext &context, const TargetMachine &machine) {
  Expected<std::unique_ptr<Module>> module =
      parseBitcodeFile(MemoryBufferRef(bitcode, name), context);
  if (!module)
    return createStringError("bitcode of '" + name + "': " + toString(module.takeError()));
  (*module)->setTargetTriple(machine.getTargetTriple());
  (*module)->setDataLayout(machine.createDataLayout());
  return module;
}

/// Leaves one function of a kernel's module visible, under a new name. Names of all else carry
/// counters of the generator's process, so they are replaced by positions.
static Error isolate(Module &module, StringRef function, StringRef newName) {
  Function *kernel = module.getFunction(function);
  if (!kernel || kernel->isDeclaration())
    return createStringError("bitcode of kernel '" + newName + "' does not define '" + function +
                             "'");
  unsigned position = 0;
  for (GlobalObject &object : module.global_objects())
    if (!object.isDeclaration() && &object != kernel && !object.getName().starts_with("llvm.")) {
      object.setComdat(nullptr);
      object.setLinkage(GlobalValue::InternalLinkage);
      object.setName("k." + newName + "." + Twine(position++));
    }
  kernel->setComdat(nullptr);
  kernel->setLinkage(GlobalValue::ExternalLinkage);
  kernel->setVisibility(GlobalValue::DefaultVisibility);
  kernel->setName(newName);
  return Error::success();
}

/// Gives every function of a kernel the target's attributes, so that they can be inlined into one
/// another and into the bodies for that target.
static void setTarget(Module &module, const host::Target &target) {
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    for (StringRef attribute : {"target-cpu", "tune-cpu", "target-features"})
      function.removeFnAttr(attribute);
    function.addFnAttr("target-cpu", target.cpu);
    if (!target.features.empty())
      function.addFnAttr("target-features", target.features);
  }
}

static Error addKernel(Module &host, Linker &linker, const KernelCode &kernel,
                       const host::Target &target, const TargetMachine &machine) {
  std::string symbol = host::kernelSymbol(kernel.symbol, target);
  if (Function *known = host.getFunction(symbol); known && !known->isDeclaration())
    return createStringError("kernel '" + kernel.symbol + "' is given twice for '" + target.name +
                             "'");
  auto module = parse(kernel.bitcode, kernel.symbol, host.getContext(), machine);
  if (!module)
    return module.takeError();
  if (Error error = isolate(**module, kernel.symbol, symbol))
    return error;
  setTarget(**module, target);
  (*module)->setSourceFileName("");
  (*module)->setModuleInlineAsm("");
  if (NamedMDNode *flags = (*module)->getModuleFlagsMetadata())
    flags->eraseFromParent();
  if (linker.linkInModule(std::move(*module)))
    return createStringError("kernel '" + kernel.symbol + "' cannot be linked");
  return Error::success();
}

static Error checkUndefined(const Module &module, const LibraryInputs &inputs) {
  StringSet<> known;
#define KILN_LIBC(library, version, name) known.insert(name);
#include "codegen/link/Libc.def"
  for (size_t i = 0; i < inputs.program->weights.size(); ++i)
    known.insert(host::weightSymbol(*inputs.program, i));
  std::string missing;
  for (const GlobalObject &object : module.global_objects())
    if (object.isDeclaration() && !object.use_empty() && !object.getName().starts_with("llvm.") &&
        !known.contains(object.getName()))
      missing += (missing.empty() ? "'" : ", '") + object.getName().str() + "'";
  if (missing.empty())
    return Error::success();
  return createStringError("undefined in the library and not in Libc.def: " + missing);
}

Error merge(Module &host, const LibraryInputs &inputs, const TargetMachine &machine,
            ArrayRef<std::string> exports) {
  host.setTargetTriple(machine.getTargetTriple());
  host.setDataLayout(machine.createDataLayout());
  host.setSourceFileName("");
  Linker linker(host);
  for (const TargetKernels &target : inputs.targets)
    for (const KernelCode &kernel : target.kernels)
      if (Error error = addKernel(host, linker, kernel, target.target, machine))
        return error;
  auto runtime = parse(StringRef(kilnRuntimeBegin, size_t(kilnRuntimeEnd - kilnRuntimeBegin)),
                       "runtime", host.getContext(), machine);
  if (!runtime)
    return runtime.takeError();
  if (linker.linkInModule(std::move(*runtime)))
    return createStringError("the runtime cannot be linked");
  if (NamedMDNode *ident = host.getNamedMetadata("llvm.ident"))
    ident->eraseFromParent();
  StringSet<> exported;
  for (const std::string &name : exports)
    exported.insert(name);
  // Aliases too (a constructor of two names is one): a program may hold several models.
  for (GlobalValue &value : host.global_values())
    if (!value.isDeclaration() && !value.hasLocalLinkage()) {
      bool isExport = exported.contains(value.getName());
      value.setLinkage(isExport ? GlobalValue::ExternalLinkage : GlobalValue::InternalLinkage);
      value.setVisibility(GlobalValue::DefaultVisibility);
      value.setDSOLocal(!isExport);
    }
  ModuleAnalysisManager analyses;
  PassBuilder().registerModuleAnalyses(analyses);
  GlobalDCEPass().run(host, analyses);
  std::string text;
  raw_string_ostream os(text);
  if (verifyModule(host, &os))
    return createStringError("the library's module is not well formed: " + text);
  return checkUndefined(host, inputs);
}

/// Whether a function was emitted by codegen/host; all else comes optimised.
static bool isHostCode(const Function &function) {
  StringRef name = function.getName();
  return name.starts_with("body.") || name.starts_with("formula");
}

void emitObject(Module &module, TargetMachine &machine, raw_pwrite_stream &os) {
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager sccs;
  ModuleAnalysisManager modules;
  PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(sccs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, sccs, modules);
  FunctionPassManager cleanUp;
  cleanUp.addPass(SROAPass(SROAOptions::ModifyCFG));
  cleanUp.addPass(EarlyCSEPass());
  cleanUp.addPass(InstCombinePass());
  cleanUp.addPass(SimplifyCFGPass());
  for (Function &function : module)
    if (!function.isDeclaration() && isHostCode(function))
      cleanUp.run(function, functions);
  codegen::storeSingleLanes(module);
  legacy::PassManager codegen;
  machine.addPassesToEmitFile(codegen, os, nullptr, CodeGenFileType::ObjectFile);
  codegen.run(module);
}

} // namespace kiln::link
