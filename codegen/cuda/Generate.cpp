//===- Generate.cpp - from spec to PTX ------------------------------------===//

#include "codegen/cuda/Generate.h"

#include "codegen/cuda/Emitter.h"
#include "codegen/cuda/Procedure.h"
#include "codegen/llvm/Optimise.h"
#include "ir/target/Target.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/IntrinsicsNVPTX.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

using namespace kiln;
using namespace kiln::cuda;
using namespace llvm;

/// What all chips and drivers take as arguments of a launch.
static constexpr size_t mostArgumentBytes = 4096;

/// Chips from this number on have PTX by which f8e4m3 is widened, those before ask for later PTX.
static constexpr int ownPTX = 100;

std::vector<std::string_view> cuda::chips() {
  std::vector<std::string_view> names;
  for (const target::Target &target : target::all())
    if (target.kind == target::Kind::CUDA)
      names.push_back(target.llvmCpu);
  return names;
}

static Error error(const Twine &text) { return createStringError(inconvertibleErrorCode(), text); }

static Expected<std::unique_ptr<TargetMachine>> makeMachine(StringRef chip,
                                                            StringRef features = "") {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  if (!is_contained(chips(), std::string_view(chip)))
    return error("unknown chip '" + chip + "'; known are " + join(chips(), ", "));
  std::string text;
  Triple triple("nvptx64-nvidia-cuda");
  const Target *target = TargetRegistry::lookupTarget(triple, text);
  if (!target)
    return error(text);
  // Nothing is fused but what the spec says: products and sums are rounded one by one.
  TargetOptions options;
  options.AllowFPOpFusion = FPOpFusion::Standard;
  return std::unique_ptr<TargetMachine>(
      target->createTargetMachine(triple, chip, features, options, std::nullopt));
}

static DeviceNeeds needsOf(const Plan &plan, StringRef symbol) {
  DeviceNeeds needs;
  needs.missed = plan.missed;
  for (const Scratch &scratch : plan.scratch)
    needs.scratchBytes.push_back(scratch.bytes);
  for (const Grid &grid : plan.grids)
    needs.launches.push_back({(symbol + "_" + Twine(needs.launches.size())).str(), grid.blocks,
                              blockThreads, grid.dynamicBytes,
                              grid.tile ? grid.tile->tensors : std::vector<host::DeviceTensor>()});
  return needs;
}

static DeviceNeeds needsOf(const ProcedurePlan &plan, StringRef symbol) {
  DeviceNeeds needs{{}, plan.scratchBytes, plan.missed};
  for (const ProcedurePlan::Grid &grid : plan.grids)
    needs.launches.push_back(
        {(symbol + "_" + Twine(needs.launches.size())).str(), grid.blocks, blockThreads, 0, {}});
  return needs;
}

DeviceNeeds cuda::deviceNeeds(const spec::KernelSpec &spec, StringRef chip, StringRef symbol) {
  if (spec.procedure)
    return needsOf(planProcedure(spec), symbol);
  spec::KernelSpec expanded = spec;
  spec::expandMath(expanded, mathSupport);
  return needsOf(makePlan(expanded, chip), symbol);
}

StringRef cuda::withoutHead(StringRef ptx) {
  return ptx.substr(ptx.find('\n', ptx.find(".address_size")));
}

/// The version of PTX, as major and minor number.
static std::pair<unsigned, unsigned> versionOf(StringRef ptx) {
  StringRef text = ptx.split(".version ").second;
  std::pair<unsigned, unsigned> version;
  text.consumeInteger(10, version.first);
  text.consume_front(".");
  text.consumeInteger(10, version.second);
  return version;
}

void cuda::append(std::string &image, StringRef ptx) {
  StringRef body = withoutHead(ptx);
  if (image.empty())
    image = ptx.str();
  else if (versionOf(image) < versionOf(ptx))
    image = (ptx.drop_back(body.size()) + withoutHead(image) + body).str();
  else
    image += body;
}

/// The grids of a spec of stages, not yet optimised.
static Expected<DeviceModule> makeStages(const spec::KernelSpec &source, StringRef symbol,
                                         const TargetMachine &machine, LLVMContext &context) {
  spec::KernelSpec expanded = source;
  spec::expandMath(expanded, mathSupport);
  Plan plan = makePlan(expanded, machine.getTargetCPU());
  DeviceModule result{needsOf(plan, symbol), nullptr, print(plan)};
  result.code = std::make_unique<Module>("kernel", context);
  result.code->setDataLayout(machine.createDataLayout());
  for (size_t i = 0; i < plan.grids.size(); ++i) {
    Emitter emitter(expanded, plan, *result.code);
    if (std::string text = emitter.emitGrid(plan.grids[i], result.launches[i].name); !text.empty())
      return error("unsupported on GPUs: " + text);
  }
  return result;
}

/// The same for a procedure.
static Expected<DeviceModule> makeProcedure(const spec::KernelSpec &spec, StringRef symbol,
                                            LLVMContext &context) {
  ProcedurePlan plan = planProcedure(spec);
  DeviceModule result{needsOf(plan, symbol), nullptr, print(plan)};
  auto code = emitProcedure(spec, plan, result.launches, context);
  if (!code)
    return code.takeError();
  result.code = std::move(*code);
  return result;
}

static Expected<DeviceModule> make(const spec::KernelSpec &spec, TargetMachine &machine,
                                   StringRef symbol, LLVMContext &context) {
  if (std::string text = spec::verify(spec); !text.empty())
    return error(text);
  DataLayout layout = machine.createDataLayout();
  auto result = spec.procedure ? makeProcedure(spec, symbol, context)
                               : makeStages(spec, symbol, machine, context);
  if (!result)
    return result.takeError();
  size_t arguments = spec.operands.size() + result->scratchBytes.size() + spec.symbols.size();
  if (arguments * 8 > mostArgumentBytes)
    return error("unsupported on GPUs: a kernel of " + Twine(arguments) + " arguments");
  Module &code = *result->code;
  code.setTargetTriple(machine.getTargetTriple());
  code.setDataLayout(layout);
  for (Function &function : code)
    if (!function.isDeclaration()) {
      function.addFnAttr("no-builtins");
      function.addFnAttr(Attribute::NoUnwind);
    }
  std::string text;
  raw_string_ostream stream(text);
  if (verifyModule(code, &stream))
    return error("the generator made a malformed kernel: " + text);
  codegen::optimise(code, &machine, OptimizationLevel::O2, {.unrolls = true});
  return result;
}

Expected<DeviceModule> cuda::makeDeviceModule(const spec::KernelSpec &spec, StringRef chip,
                                              StringRef symbol, LLVMContext &context) {
  auto machine = makeMachine(chip);
  return machine ? make(spec, **machine, symbol, context) : machine.takeError();
}

Expected<DeviceKernel> cuda::generateCUDA(const spec::KernelSpec &spec, StringRef chip,
                                          StringRef symbol) {
  auto machine = makeMachine(chip);
  if (!machine)
    return machine.takeError();
  LLVMContext context;
  auto made = make(spec, **machine, symbol, context);
  if (!made)
    return made.takeError();
  std::string features = writeProducts(*made->code);
  bool widens = made->code->getFunction(Intrinsic::getName(Intrinsic::nvvm_e4m3x2_to_f16x2_rn));
  if (features.empty() && widens && target::find("cuda:" + chip.str())->capability < ownPTX)
    features = "+ptx81";
  if (!features.empty())
    machine = makeMachine(chip, features);
  if (!machine)
    return machine.takeError();
  SmallVector<char, 0> text;
  raw_svector_ostream stream(text);
  legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr, CodeGenFileType::AssemblyFile))
    return error("LLVM cannot write PTX");
  passes.run(*made->code);
  return DeviceKernel{std::move(static_cast<DeviceNeeds &>(*made)),
                      std::string(text.data(), text.size()), std::move(made->plan)};
}
