//===- Harness.cpp - kernels in memory, for tests and timings -------------===//

#include "test/unit/kernels/Harness.h"
#include "codegen/loader/Loader.h"
#include "codegen/spec/Numbers.h"

#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <cmath>
#include <cstring>
#include <random>

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

static Number randomNumber(DType type, std::mt19937 &random) {
  if (isFloat(type))
    return {static_cast<double>(static_cast<int>(random() % 2001) - 1000) / 1000, 0};
  if (type == DType::Bool)
    return {0, static_cast<int64_t>(random() % 2)};
  return {0, static_cast<int64_t>(random() % 17) - (type == DType::U8 ? 0 : 8)};
}

Buffers::Buffers(const KernelSpec &spec, const std::vector<int64_t> &symbols, uint32_t seed) {
  std::mt19937 random(seed);
  for (const Operand &operand : spec.operands) {
    int64_t size = std::max<int64_t>(bufferBytes(spec, operand, symbols), 0);
    bytes.push_back(size);
    int64_t rounded = (size + 127) / 64 * 64;
    auto *start = static_cast<uint8_t *>(std::aligned_alloc(64, rounded));
    memory.emplace_back(start, std::free);
    // Outputs begin as a pattern, so that a store that is missing shows.
    std::memset(start, operand.use == Operand::Use::Input ? 0 : 0xa5, rounded);
    if (operand.use != Operand::Use::Input)
      continue;
    int64_t step = byteSize(operand.type), perPanel = 0;
    if (operand.layout == Operand::Layout::Panel16)
      perPanel = size / step / ((*operand.shape[0].constantValue() + 15) / 16);
    for (int64_t i = 0; i < size / step; ++i) {
      bool isLane = !perPanel || i / perPanel * 16 + i % 16 < *operand.shape[0].constantValue();
      if (isLane)
        storeNumber(start + i * step, operand.type, randomNumber(operand.type, random));
    }
  }
}

std::vector<void *> Buffers::pointers() const {
  std::vector<void *> result;
  for (const std::shared_ptr<uint8_t> &one : memory)
    result.push_back(one.get());
  return result;
}

static bool isClose(Number got, Number expected, DType type, double tolerance) {
  if (!isFloat(type))
    return got.i == expected.i;
  if (std::isnan(expected.f) || std::isinf(expected.f))
    return std::isnan(expected.f) ? std::isnan(got.f) : got.f == expected.f;
  return std::fabs(got.f - expected.f) <= tolerance * (1 + std::fabs(expected.f));
}

std::string test::compare(const KernelSpec &spec, const std::vector<int64_t> &symbols,
                          double tolerance) {
  if (std::string problem = verify(spec); !problem.empty())
    return problem;
  return compare(compile(spec), spec, symbols, tolerance);
}

std::string test::compare(const Compiled &kernel, const KernelSpec &spec,
                          const std::vector<int64_t> &symbols, double tolerance, const Fill &fill) {
  if (!kernel.run)
    return kernel.error;
  Buffers got(spec, symbols, 1), expected(spec, symbols, 1);
  if (fill) {
    fill(spec, got);
    fill(spec, expected);
  }
  KernelSpec expanded = spec;
  expandMath(expanded);
  if (std::string problem = evaluate(expanded, expected.pointers(), symbols); !problem.empty())
    return problem;
  if (int32_t status = kernel.run(nullptr, got.pointers().data(), symbols.data()))
    return "status " + std::to_string(status);
  for (size_t i = 0; i < spec.operands.size(); ++i) {
    DType type = spec.operands[i].type;
    int64_t step = byteSize(type);
    for (int64_t k = 0; k < got.bytes[i] / step; ++k) {
      Number a = loadNumber(got.memory[i].get() + k * step, type),
             b = loadNumber(expected.memory[i].get() + k * step, type);
      if (!isClose(a, b, type, tolerance))
        return "'" + spec.operands[i].name + "' element " + std::to_string(k) + ": expected " +
               std::to_string(isFloat(type) ? b.f : static_cast<double>(b.i)) + ", got " +
               std::to_string(isFloat(type) ? a.f : static_cast<double>(a.i));
    }
  }
  return "";
}
