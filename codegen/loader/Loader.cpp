//===- Loader.cpp - the Halide generator, seen from the compiler ----------===//

#include "codegen/loader/Loader.h"
#include "codegen/halide/Plugin.h"
#include "ir/target/Target.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"

#include <dlfcn.h>
#include <set>

using namespace kiln;
using namespace kiln::halide;

/// DEEPBIND keeps the plug-in's LLVM from ours; it kills a process with sanitizers.
static constexpr int openFlags() {
#if defined(__SANITIZE_ADDRESS__)
  return RTLD_NOW | RTLD_LOCAL;
#else
  return RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif
}

std::unique_ptr<Generator> Generator::load(const std::string &path, std::string &error) {
  void *library = dlopen(path.c_str(), openFlags());
  if (!library) {
    error = "cannot load '" + path + "': " + dlerror();
    return nullptr;
  }
  auto generator = std::make_unique<Generator>();
  generator->generateFunction = dlsym(library, "kiln_halide_generate");
  generator->freeFunction = dlsym(library, "kiln_halide_free");
  void *version = dlsym(library, "kiln_halide_version");
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!generator->generateFunction || !generator->freeFunction || !version || !file) {
    error = "'" + path + "' is no Halide generator";
    return nullptr;
  }
  auto digest = llvm::SHA256::hash(llvm::arrayRefFromStringRef((*file)->getBuffer()));
  generator->versionText = reinterpret_cast<decltype(&kiln_halide_version)>(version)();
  generator->versionText += " " + llvm::toHex(llvm::ArrayRef(digest).take_front(8), true);
  return generator;
}

std::string Generator::defaultPath(llvm::StringRef executable) {
  llvm::SmallString<256> path(llvm::sys::path::parent_path(executable));
  llvm::sys::path::append(path, "..", "lib", "kiln", "libkiln-halide.so");
  return std::string(path);
}

static Generated failed(int code, std::string message) {
  Generated result;
  result.code = code;
  result.message = std::move(message);
  return result;
}

/// Sets the attributes by which all code for a target may be inlined into each other.
static void setTarget(llvm::Module &module, llvm::StringRef name) {
  const target::Target *target = target::find(std::string_view(name));
  for (llvm::Function &function : module) {
    if (function.isDeclaration() || !target)
      continue;
    function.removeFnAttr("tune-cpu");
    function.addFnAttr("target-cpu", llvm::StringRef(target->llvmCpu));
    function.addFnAttr("target-features", llvm::StringRef(target->llvmFeatures));
    if (target->lanesF32 == 16)
      function.addFnAttr("prefer-vector-width", "512");
  }
}

/// Relaxed sums may fuse, but NaN and infinity are numbers like others: other flags go.
static void keepContraction(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function)) {
      if (!llvm::isa<llvm::FPMathOperator>(instruction))
        continue;
      llvm::FastMathFlags flags;
      flags.setAllowContract(instruction.hasAllowContract());
      instruction.copyFastMathFlags(flags);
    }
}

/// An instruction that becomes a call of a library function that a program lacks, or "": the
/// bitcode does not name these functions.
static std::string hiddenCall(const llvm::Module &module) {
  for (const llvm::Function &function : module) {
    if (function.getName().starts_with("llvm.convert.to.fp16.f64") && !function.use_empty())
      return "a conversion from f64 to f16";
    for (const llvm::Instruction &instruction : llvm::instructions(function)) {
      bool narrows = instruction.getOpcode() == llvm::Instruction::FPTrunc &&
                     instruction.getOperand(0)->getType()->getScalarType()->isDoubleTy() &&
                     instruction.getType()->getScalarSizeInBits() == 16;
      if (narrows)
        return "a conversion from f64 to 16 bits";
      if (instruction.getOpcode() == llvm::Instruction::FRem)
        return "a remainder of floats";
    }
  }
  return "";
}

/// Whether the expression has a sine or cosine. Halide's code of their exact reduction has the
/// wrong sign for some arguments.
static bool hasSine(const spec::ExprPtr &expr, std::set<const spec::Expr *> &seen) {
  if (!expr || !seen.insert(expr.get()).second)
    return false;
  return expr->op == spec::Op::Sin || expr->op == spec::Op::Cos ||
         llvm::any_of(expr->args, [&](const spec::ExprPtr &arg) { return hasSine(arg, seen); }) ||
         llvm::any_of(expr->read.indices,
                      [&](const spec::Index &index) { return hasSine(index.indirect, seen); });
}

Generated Generator::generate(const spec::KernelSpec &spec, llvm::StringRef symbol,
                              llvm::StringRef target, llvm::LLVMContext &context) const {
  auto run = reinterpret_cast<decltype(&kiln_halide_generate)>(generateFunction);
  auto release = reinterpret_cast<decltype(&kiln_halide_free)>(freeFunction);
  if (spec.procedure)
    return failed(1, "procedure '" + spec.procedure->name + "' has code of its own");
  std::set<const spec::Expr *> seen;
  for (const spec::Stage &stage : spec.stages)
    if (hasSine(stage.body, seen))
      return failed(1, "sines and cosines are LLVM's");
  spec::KernelSpec expanded = spec;
  spec::expandMath(expanded);
  std::string text = spec::print(expanded), body = (symbol + ".body").str();
  char message[2048] = "";
  kiln_halide_result raw = {};
  int code = run(text.data(), text.size(), "kernel_body", target.str().c_str(), &raw, message,
                 sizeof message);
  if (code)
    return failed(code, message);
  llvm::StringRef bitcode(reinterpret_cast<char *>(raw.bitcode), raw.bitcode_bytes);
  auto parsed = llvm::parseBitcodeFile(llvm::MemoryBufferRef(bitcode, "kernel"), context);
  std::string arguments = raw.arguments;
  double milliseconds = raw.milliseconds;
  release(&raw);
  if (!parsed)
    return failed(2, llvm::toString(parsed.takeError()));
  std::unique_ptr<llvm::Module> module = std::move(*parsed);
  if (llvm::Function *function = module->getFunction("kernel_body"))
    function->setName(body);
  std::string problem = addShim(*module, spec, symbol, arguments);
  if (!problem.empty())
    return failed(2, problem);
  setTarget(*module, target);
  keepContraction(*module);
  problem = normalise(*module, symbol);
  if (!problem.empty())
    return failed(1, "the kernel refers to '" + problem + "'");
  problem = hiddenCall(*module);
  if (!problem.empty())
    return failed(1, "the kernel needs a library function for " + problem);
  if (llvm::verifyModule(*module))
    return failed(2, "the generated module is malformed");
  Generated result;
  result.code = 0;
  result.module = std::move(module);
  result.milliseconds = milliseconds;
  return result;
}
