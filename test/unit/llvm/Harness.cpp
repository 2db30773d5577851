//===- Harness.cpp - runs generated kernels against the evaluator ---------===//

#include "test/unit/llvm/Harness.h"
#include "codegen/spec/Numbers.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <random>
#include <thread>

using namespace kiln;
using namespace kiln::test;

kiln_ctx test::context = {};
int test::threads = 1;

codegen::TargetFacts test::hostFacts() {
  codegen::TargetFacts facts;
  facts.cpu = llvm::sys::getHostCPUName().str();
  auto features = llvm::sys::getHostCPUFeatures();
  for (auto &feature : features) // sorted by the map of the library, so that bitcode is equal
    facts.features += (facts.features.empty() ? "" : ",") +
                      std::string(feature.second ? "+" : "-") + feature.first().str();
  if (features.lookup("avx512f")) {
    facts.vectorBytes = 64;
    facts.vectorRegisters = 32;
  }
  return facts;
}

int32_t kiln_parallel_for(kiln_ctx *ctx, kiln_task *task, int32_t count, void *closure) {
  std::atomic<int32_t> result = 0;
  auto run = [&](int32_t first, int32_t step) {
    for (int32_t i = first; i >= 0; i -= step)
      if (int32_t status = task(ctx, i, closure))
        result = status;
  };
  std::thread other;
  if (test::threads == 2)
    other = std::thread(run, count - 2, 2);
  run(count - 1, test::threads);
  if (other.joinable())
    other.join();
  return result;
}

std::string test::assembly(const KernelSpec &spec, const codegen::TargetFacts &facts) {
  auto kernel = llvm::cantFail(codegen::generateLLVM(spec, facts, "kernel", 2));
  llvm::LLVMContext context;
  auto module = llvm::cantFail(
      llvm::parseBitcodeFile(llvm::MemoryBufferRef(kernel.bitcode, "kernel"), context));
  llvm::orc::JITTargetMachineBuilder builder{llvm::Triple(facts.triple)};
  builder.setCPU(facts.cpu);
  auto machine = llvm::cantFail(builder.createTargetMachine());
  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  machine->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::AssemblyFile);
  passes.run(*module);
  return std::string(text.data(), text.size());
}

KernelFunction test::compile(const KernelSpec &spec, const codegen::TargetFacts &facts) {
  auto kernel = codegen::generateLLVM(spec, facts, "kernel", 2);
  if (!kernel) {
    ADD_FAILURE() << llvm::toString(kernel.takeError()) << "\n" << print(spec);
    return nullptr;
  }
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::orc::JITTargetMachineBuilder machine{llvm::Triple(facts.triple)};
  machine.setCPU(facts.cpu);
  auto *jit = llvm::cantFail(llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(machine).create())
                  .release();
  auto &dylib = jit->getMainJITDylib();
  // No other name is defined: a call of a library function fails to link.
  llvm::cantFail(dylib.define(llvm::orc::absoluteSymbols(
      {{jit->mangleAndIntern("kiln_parallel_for"),
        {llvm::orc::ExecutorAddr::fromPtr(&kiln_parallel_for), llvm::JITSymbolFlags::Exported}}})));
  auto context = std::make_unique<llvm::LLVMContext>();
  auto module = llvm::cantFail(
      llvm::parseBitcodeFile(llvm::MemoryBufferRef(kernel->bitcode, "kernel"), *context));
  llvm::cantFail(jit->addIRModule({std::move(module), std::move(context)}));
  auto address = jit->lookup("kernel");
  if (!address) {
    ADD_FAILURE() << llvm::toString(address.takeError());
    return nullptr;
  }
  return address->toPtr<KernelFunction>();
}

static void fill(const Operand &operand, uint8_t *bytes, size_t count, std::mt19937 &random) {
  for (size_t i = 0; i < count; ++i) {
    Number value;
    value.f = static_cast<int>(random() % 2001) / 500.0 - 2;
    value.i = operand.type == DType::Bool ? random() % 2 : static_cast<int>(random() % 200) - 90;
    storeNumber(bytes + i * byteSize(operand.type), operand.type, value);
  }
}

void test::expectEqual(const KernelSpec &spec, std::vector<int64_t> symbols, double tolerance,
                       const codegen::TargetFacts &facts) {
  ASSERT_EQ(verify(spec), "");
  KernelFunction kernel = compile(spec, facts);
  ASSERT_TRUE(kernel) << print(spec);
  std::mt19937 random(7);
  std::vector<std::unique_ptr<GuardedBuffer>> ours, theirs;
  std::vector<void *> ourPointers, theirPointers;
  for (const Operand &operand : spec.operands) {
    int64_t bytes = bufferBytes(spec, operand, symbols);
    ASSERT_GE(bytes, 0);
    for (auto *set : {&ours, &theirs})
      set->push_back(std::make_unique<GuardedBuffer>(bytes));
    if (operand.use == Operand::Use::Input)
      fill(operand, ours.back()->data(), bytes / byteSize(operand.type), random);
    clearMissing(spec, operand, symbols, ours.back()->data());
    std::memcpy(theirs.back()->data(), ours.back()->data(), bytes);
    ourPointers.push_back(ours.back()->data());
    theirPointers.push_back(theirs.back()->data());
  }
  KernelSpec expanded = spec;
  expandMath(expanded, codegen::mathSupport(facts));
  ASSERT_EQ(evaluate(expanded, theirPointers, symbols), "");
  ASSERT_EQ(kernel(&context, ourPointers.data(), symbols.data()), 0);
  for (size_t i = 0; i < spec.operands.size(); ++i) {
    const Operand &operand = spec.operands[i];
    if (operand.use != Operand::Use::Output)
      continue;
    int64_t size = byteSize(operand.type), wrong = 0;
    for (int64_t at = 0; at < static_cast<int64_t>(ours[i]->size()) / size && wrong < 3; ++at) {
      Number got = loadNumber(ours[i]->data() + at * size, operand.type);
      Number want = loadNumber(theirs[i]->data() + at * size, operand.type);
      bool isEqual =
          got.i == want.i && (got.f == want.f || (std::isnan(got.f) && std::isnan(want.f)) ||
                              std::fabs(got.f - want.f) <= tolerance * (1 + std::fabs(want.f)));
      if (isEqual)
        continue;
      ++wrong;
      ADD_FAILURE() << operand.name << "[" << at << "]: expected " << want.f << " / " << want.i
                    << ", got " << got.f << " / " << got.i << "\n"
                    << (wrong == 1 ? print(spec) : "");
    }
  }
}
