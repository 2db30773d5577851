//===- Main.cpp - kiln-opt: passes one by one -----------------------------===//
//
// MLIR's driver, and the weights beside the IR: model.mlir is read with model.kwts, and -o out.mlir
// writes out.kwts.
//
//===----------------------------------------------------------------------===//

#include "frontend/weights/StoreFile.h"
#include "ir/KilnDialect.h"
#include "passes/CheckEach.h"
#include "passes/Pipeline.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/WithColor.h"

using namespace llvm;
using namespace kiln;

static cl::opt<bool> checkEach("check-each",
                               cl::desc("run the interpreter after each pass and compare with the "
                                        "input: a fault names its pass"));

namespace {
/// Hands the weights that were read to the dialect of the driver's own context.
struct GiveWeights : mlir::DialectExtension<GiveWeights, ir::KilnDialect> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(GiveWeights)
  explicit GiveWeights(std::shared_ptr<WeightStore> store) : store(std::move(store)) {}
  void apply(mlir::MLIRContext *, ir::KilnDialect *dialect) const override {
    dialect->setWeights(store);
  }
  std::shared_ptr<WeightStore> store;
};
} // namespace

static std::string weightsBeside(StringRef path) {
  SmallString<128> weights(path);
  sys::path::replace_extension(weights, "kwts");
  return std::string(weights);
}

static int fail(const Twine &message) {
  WithColor::error(errs(), "kiln-opt") << message << "\n";
  return 1;
}

/// Writes the weights whose hashes stand in the text.
static int writeWeights(StringRef path, const WeightStore &store) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> text = MemoryBuffer::getFile(path);
  if (!text)
    return fail("cannot read '" + path + "' again");
  std::vector<std::string> hashes;
  for (StringRef rest = (*text)->getBuffer();;) {
    rest = rest.split("hash = \"").second;
    if (rest.empty())
      break;
    StringRef hash = rest.take_until([](char c) { return c == '"'; });
    if (store.find(hash))
      hashes.push_back(hash.str());
  }
  if (Error error =
          hashes.empty() ? Error::success() : writeStore(weightsBeside(path), store, hashes))
    return fail(toString(std::move(error)));
  return 0;
}

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  registerPasses();
  mlir::registerTransformsPasses();
  mlir::DialectRegistry registry;
  registry.insert<ir::KilnDialect, mlir::func::FuncDialect>();
  auto [input, output] = mlir::registerAndParseCLIOptions(
      argc, argv, "Kiln's passes on the kiln dialect, e.g. kiln-opt model.mlir --kiln-simplify\n",
      registry);
  auto store = std::make_shared<WeightStore>();
  if (std::string path = weightsBeside(input); input != "-" && sys::fs::exists(path))
    if (Error error = readStore(path, *store))
      return fail(toString(std::move(error)));
  registry.addExtension(mlir::TypeID::get<GiveWeights>(), std::make_unique<GiveWeights>(store));
  mlir::MlirOptMainConfig config = mlir::MlirOptMainConfig::createFromCLOptions();
  bool differs = false;
  if (checkEach) {
    auto build = config;
    config.setPassPipelineSetupFn([&, build](mlir::PassManager &manager) {
      manager.addInstrumentation(checkEachPass(differs));
      return build.setupPassPipeline(manager);
    });
  }
  std::string error;
  auto file = mlir::openInputFile(input, &error);
  if (!file)
    return fail(error);
  auto out = mlir::openOutputFile(output, &error);
  if (!out)
    return fail(error);
  if (failed(mlir::MlirOptMain(out->os(), std::move(file), registry, config)) || differs)
    return 1;
  out->keep();
  out->os().flush();
  return output == "-" ? 0 : writeWeights(output, *store);
}
