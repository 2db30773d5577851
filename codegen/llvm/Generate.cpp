//===- Generate.cpp - from spec to optimised bitcode ----------------------===//

#include "codegen/llvm/Generate.h"
#include "codegen/llvm/Optimise.h"
#include "codegen/llvm/SingleLanes.h"
#include "codegen/llvm/Winograd.h"

#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;

static Error error(const Twine &text) { return createStringError(inconvertibleErrorCode(), text); }

Expected<std::unique_ptr<TargetMachine>> codegen::makeMachine(const TargetFacts &facts) {
  static std::once_flag once;
  std::call_once(once, [] {
    InitializeAllTargetInfos();
    InitializeAllTargets();
    InitializeAllTargetMCs();
    InitializeAllAsmPrinters();
  });
  std::string text;
  Triple triple(facts.triple);
  const Target *target = TargetRegistry::lookupTarget(triple, text);
  if (!target)
    return error("unknown target '" + facts.triple + "'");
  std::unique_ptr<TargetMachine> machine(
      target->createTargetMachine(triple, facts.cpu, facts.features, TargetOptions(), Reloc::PIC_));
  if (!machine->getMCSubtargetInfo()->isCPUStringValid(facts.cpu))
    return error("unknown processor '" + facts.cpu + "'");
  return machine;
}

/// Facts that every function needs for the same code generation, and so that no loop turns into a
/// call of memset or memcpy.
static void setAttributes(Module &module, const TargetFacts &facts) {
  std::string width = std::to_string(facts.vectorBytes * 8);
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", facts.cpu);
    if (!facts.features.empty())
      function.addFnAttr("target-features", facts.features);
    function.addFnAttr("prefer-vector-width", width);
    function.addFnAttr("min-legal-vector-width", width);
    function.addFnAttr("no-builtins");
    function.addFnAttr(Attribute::NoUnwind);
  }
}

static spec::MathSupport supportOf(const TargetMachine &machine) {
  const MCSubtargetInfo &subtarget = *machine.getMCSubtargetInfo();
  if (!machine.getTargetTriple().isX86())
    return {/*hasMulAdd=*/true, /*hasLdexp=*/false};
  return {subtarget.checkFeatures("+fma"), subtarget.checkFeatures("+avx512f,+avx512vl")};
}

spec::MathSupport codegen::mathSupport(const TargetFacts &facts) {
  return supportOf(*cantFail(makeMachine(facts)));
}

Expected<GeneratedKernel> codegen::generateLLVM(const spec::KernelSpec &source,
                                                const TargetFacts &facts, StringRef symbol,
                                                int optLevel) {
  if (std::string text = spec::verify(source); !text.empty())
    return error(text);
  if (source.procedure)
    return error("procedure '" + source.procedure->name + "' has no stages to generate");
  auto machine = makeMachine(facts);
  if (!machine)
    return machine.takeError();
  LLVMContext context;
  Module module("kernel", context);
  module.setTargetTriple((*machine)->getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  bool isX86 = (*machine)->getTargetTriple().isX86();
  const MCSubtargetInfo &subtarget = *(*machine)->getMCSubtargetInfo();
  spec::KernelSpec expanded = source;
  spec::expandMath(expanded, supportOf(**machine));
  WinogradEmitter emitter(expanded, facts, module, !isX86 || subtarget.checkFeatures("+f16c"),
                          !isX86 || subtarget.checkFeatures("+sse4.1"),
                          isX86 ? [&](StringRef name) { return subtarget.checkFeatures(name); }
                                : FeatureTest());
  std::optional<WinogradParts> tiles = winogradParts(expanded);
  std::string wrong = tiles ? emitter.run(symbol, *tiles) : emitter.Emitter::run(symbol);
  if (!wrong.empty())
    return error(wrong);
  setAttributes(module, facts);
  std::string text;
  raw_string_ostream stream(text);
  if (verifyModule(module, &stream))
    return error("the generator made a malformed kernel: " + text);
  optimise(module, machine->get(), optLevel ? OptimizationLevel::O2 : OptimizationLevel::O1, {});
  storeSingleLanes(module);
  GeneratedKernel result;
  raw_string_ostream out(result.bitcode);
  WriteBitcodeToFile(module, out);
  result.isParallel = emitter.isParallel;
  result.stackBytes = emitter.stackBytes;
  result.keptBytes = emitter.keptBytes;
  return result;
}

Emitter::Emitter(const spec::KernelSpec &spec, const TargetFacts &target, Module &module,
                 bool hasHalf, bool hasRounding, FeatureTest hasFeature)
    : Body(spec, module, hasHalf, hasRounding), target(target), hasFeature(std::move(hasFeature)) {}
