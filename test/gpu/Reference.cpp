//===- Reference.cpp - what a kernel is to compute ------------------------===//

#include "test/gpu/Reference.h"

#include "codegen/cuda/Generate.h"
#include "codegen/procedures/Generate.h"
#include "codegen/spec/Evaluate.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"

#include <cstring>

using namespace kiln;
using namespace kiln::spec;
using namespace llvm;

/// Stands for the runtime's.
static int32_t runInOrder(void *context, int32_t (*task)(void *, int32_t, void *), int32_t count,
                          void *closure) {
  for (int32_t i = 0; i < count; ++i)
    if (int32_t status = task(context, i, closure))
      return status;
  return 0;
}

static std::string runProcedure(const KernelSpec &spec, const std::vector<void *> &buffers,
                                const std::vector<int64_t> &symbols) {
  static bool isReady = !InitializeNativeTarget() && !InitializeNativeTargetAsmPrinter();
  codegen::TargetFacts facts;
  facts.cpu = sys::getHostCPUName().str();
  auto kernel = codegen::generateProcedure(spec, facts, "kernel");
  if (!isReady || !kernel)
    return isReady ? toString(kernel.takeError()) : "no host target";
  auto context = std::make_unique<LLVMContext>();
  auto module = parseBitcodeFile(MemoryBufferRef(kernel->bitcode, "kernel"), *context);
  auto jit = orc::LLJITBuilder().create();
  if (!module || !jit)
    return toString(joinErrors(module.takeError(), jit.takeError()));
  orc::SymbolMap host;
  auto add = [&](StringRef name, void *function) {
    host[(*jit)->mangleAndIntern(name)] = {orc::ExecutorAddr::fromPtr(function),
                                           JITSymbolFlags::Exported | JITSymbolFlags::Callable};
  };
  add("kiln_parallel_for", reinterpret_cast<void *>(&runInOrder));
  add("memcpy", reinterpret_cast<void *>(&memcpy));
  add("memset", reinterpret_cast<void *>(&memset));
  Error error = (*jit)->getMainJITDylib().define(orc::absoluteSymbols(host));
  if (!error)
    error = (*jit)->addIRModule(orc::ThreadSafeModule(std::move(*module), std::move(context)));
  if (error)
    return toString(std::move(error));
  auto entry = (*jit)->lookup("kernel");
  if (!entry)
    return toString(entry.takeError());
  auto *function = entry->toPtr<int32_t(void *, void *const *, const int64_t *)>();
  return function(nullptr, buffers.data(), symbols.data()) ? "the procedure failed" : "";
}

std::string test::runReference(const KernelSpec &spec, const std::vector<void *> &buffers,
                               const std::vector<int64_t> &symbols) {
  if (spec.procedure)
    return runProcedure(spec, buffers, symbols);
  KernelSpec expanded = spec;
  expandMath(expanded, cuda::mathSupport);
  return evaluate(expanded, buffers, symbols);
}
