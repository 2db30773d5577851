//===- kiln-gpu.cpp - specs in text as device kernels ---------------------===//
//
// Reads specs as `kilnc --emit=kernels` prints them (a line "# NAME" before each) and prints, of
// each, its plan, its PTX, or what the emulator finds against the reference.
//
//===----------------------------------------------------------------------===//

#include "codegen/cuda/Generate.h"
#include "test/gpu/Emulator.h"
#include "test/gpu/Specs.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace kiln;
using namespace llvm;

namespace {
enum class Print { Plan, PTX, Check };
}

static cl::opt<std::string> input(cl::Positional, cl::desc("specs"), cl::init("-"));
static cl::opt<std::string> chip("chip", cl::desc("chip to compile for"), cl::init("sm_80"));
static cl::opt<Print>
    wanted("print", cl::desc("what to print"), cl::init(Print::Plan),
           cl::values(clEnumValN(Print::Plan, "plan", "which grids compute the kernel"),
                      clEnumValN(Print::PTX, "ptx", "PTX of all kernels in one module"),
                      clEnumValN(Print::Check, "check", "differences from the reference")));
static cl::list<int64_t> symbols("symbols", cl::CommaSeparated,
                                 cl::desc("values of the symbols, for --print=check"));
static cl::opt<double> tolerance("tolerance", cl::init(1e-4),
                                 cl::desc("relative to 1 + magnitude, for --print=check"));

static int fail(const Twine &text) {
  WithColor::error(errs(), "kiln-gpu") << text << "\n";
  return 1;
}

/// Values for a spec's symbols: those given, else small ones within their bounds.
static std::vector<int64_t> valuesFor(const spec::KernelSpec &spec) {
  std::vector<int64_t> values(symbols.begin(), symbols.end());
  for (size_t i = values.size(); i < spec.symbols.size(); ++i)
    values.push_back(std::min(std::max<int64_t>(spec.symbols[i].lower, 3),
                              spec.symbols[i].upper.value_or(INT64_MAX)));
  values.resize(spec.symbols.size());
  return values;
}

/// Adds PTX to the image and prints all else.
static int process(StringRef name, const spec::KernelSpec &spec, StringSet<> &printed,
                   std::string &image) {
  if (wanted == Print::Check) {
    std::string text = test::compareEmulated(spec, valuesFor(spec), tolerance, {}, chip);
    outs() << name << ": " << (text.empty() ? "equal" : text) << "\n";
    return !text.empty();
  }
  std::string symbol = "kiln_" + spec::hash(spec);
  if (!printed.insert(symbol).second && wanted == Print::PTX)
    return 0; // equal kernels stand in the module once
  auto kernel = cuda::generateCUDA(spec, chip, symbol);
  if (!kernel)
    return fail(name + ": " + toString(kernel.takeError()));
  if (wanted == Print::Plan)
    outs() << "# " << name << "\n" << kernel->plan;
  else
    cuda::append(image, kernel->ptx);
  return 0;
}

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "specs as device kernels\n");
  auto file = MemoryBuffer::getFileOrSTDIN(input);
  if (!file)
    return fail("cannot read '" + input + "': " + file.getError().message());
  StringSet<> printed;
  std::string image;
  int code = 0;
  Error error =
      test::readSpecs((*file)->getBuffer(), [&](StringRef name, const spec::KernelSpec &spec) {
        code |= process(name, spec, printed, image);
      });
  if (error)
    return fail(toString(std::move(error)));
  outs() << image;
  return code;
}
