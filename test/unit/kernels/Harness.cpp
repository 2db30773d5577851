//===- Harness.cpp - kernels in memory, for tests and timings -------------===//

#include "test/unit/kernels/Harness.h"
#include "codegen/loader/Loader.h"

#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <cstring>

using namespace kiln;
using namespace kiln::spec;
using namespace kiln::test;

/// Tasks one after another: results must not depend on threads.
static int parallelFor(void *context, int (*task)(void *, int, uint8_t *), int min, int size,
                       uint8_t *closure) {
  for (int i = min; i < min + size; ++i)
    if (int status = task(context, i, closure))
      return status;
  return 0;
}

static const halide::Generator *generator(std::string &error) {
  static std::string problem;
  static std::unique_ptr<halide::Generator> loaded =
      halide::Generator::load(KILN_HALIDE_PLUGIN, problem);
  error = problem;
  return loaded.get();
}

/// Text of the module's machine code.
static std::string assemblyOf(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
  copy->setDataLayout(machine.createDataLayout());
  llvm::legacy::PassManager passes;
  machine.addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::AssemblyFile);
  passes.run(*copy);
  return std::string(text.data(), text.size());
}

std::string test::moduleText(const KernelSpec &spec) {
  std::string text;
  const halide::Generator *halide = generator(text);
  if (!halide)
    return text;
  llvm::LLVMContext context;
  halide::Generated generated = halide->generate(spec, "kernel", "native", context);
  if (generated.code)
    return generated.message;
  llvm::raw_string_ostream stream(text);
  generated.module->print(stream, nullptr);
  return text;
}

spec::MathSupport test::mathSupport() { return {}; }

Compiled test::compile(const KernelSpec &spec, bool wantsAssembly) {
  static bool isReady =
      !llvm::InitializeNativeTarget() && !llvm::InitializeNativeTargetAsmPrinter();
  Compiled result;
  const halide::Generator *halide = generator(result.error);
  if (!halide || !isReady) {
    result.code = 2;
    return result;
  }
  auto context = std::make_unique<llvm::LLVMContext>();
  halide::Generated generated = halide->generate(spec, "kernel", "native", *context);
  result.code = generated.code;
  result.error = generated.message;
  result.milliseconds = generated.milliseconds;
  if (generated.code)
    return result;
  llvm::orc::JITTargetMachineBuilder machine =
      llvm::cantFail(llvm::orc::JITTargetMachineBuilder::detectHost());
  machine.setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  if (wantsAssembly)
    result.assembly = assemblyOf(*generated.module, *llvm::cantFail(machine.createTargetMachine()));
  std::shared_ptr<llvm::orc::LLJIT> jit =
      llvm::cantFail(llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(machine).create());
  llvm::orc::SymbolMap host;
  auto add = [&](const char *name, void *address) {
    host[jit->mangleAndIntern(name)] = {llvm::orc::ExecutorAddr::fromPtr(address),
                                        llvm::JITSymbolFlags::Exported};
  };
  add("halide_do_par_for", reinterpret_cast<void *>(&parallelFor));
  add("memcpy", reinterpret_cast<void *>(&std::memcpy));
  add("memset", reinterpret_cast<void *>(&std::memset));
  llvm::cantFail(jit->getMainJITDylib().define(llvm::orc::absoluteSymbols(host)));
  generated.module->setDataLayout(jit->getDataLayout());
  llvm::cantFail(jit->addIRModule(
      llvm::orc::ThreadSafeModule(std::move(generated.module), std::move(context))));
  result.run = llvm::cantFail(jit->lookup("kernel")).toPtr<Kernel *>();
  result.owner = jit;
  return result;
}
