//===- Compile.cpp - a model file to a library ----------------------------===//

#include "tools/kilnc/Compile.h"

#include "codegen/Generate.h"
#include "codegen/loader/Loader.h"
#include "frontend/Import.h"
#include "frontend/Parser.h"
#include "frontend/weights/Bind.h"
#include "frontend/weights/StoreFile.h"
#include "ir/KilnOps.h"
#include "ir/target/Target.h"
#include "passes/Pipeline.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Pass.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

#include <unistd.h>

using namespace kiln;
using namespace llvm;

Installation Installation::find(const char *argv0) {
  static int anchor;
  std::string self = sys::fs::getMainExecutable(argv0, &anchor);
  StringRef prefix = sys::path::parent_path(sys::path::parent_path(self));
  auto at = [&](StringRef relative) {
    SmallString<128> path(prefix);
    sys::path::append(path, relative);
    return sys::fs::exists(path) ? std::string(path) : std::string();
  };
  return {at("share/kiln/std"), at("share/kiln/zoo"), at("lib/kiln/libkiln-halide.so")};
}

static int report(const Twine &message) {
  WithColor::error(errs(), "kilnc") << message << "\n";
  return 1;
}

namespace {
/// One run of the compiler.
class Compilation {
public:
  Compilation(const CompileOptions &options, const Installation &installation)
      : options(options), installation(installation), diagnostics(sources) {}
  int run();

private:
  int printAST();
  bool import();
  bool bind();
  bool runStages();
  int emitText();
  int build();
  void handle(mlir::Diagnostic &diagnostic);
  std::string outputOr(StringRef ending) const;
  bool wants(StringRef stage) const { return options.emit == stage; }

  const CompileOptions &options;
  const Installation &installation;
  SourceMgr sources;
  Diagnostics diagnostics;
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<halide::Generator> halide;
  std::vector<std::string> remarkLines;
};
} // namespace

/// Remarks are kept and sorted; errors and notes are printed at their place.
void Compilation::handle(mlir::Diagnostic &diagnostic) {
  std::string text;
  raw_string_ostream os(text);
  mlir::Location place = diagnostic.getLocation();
  place->walk([&](mlir::Location inner) {
    auto file = dyn_cast<mlir::FileLineColLoc>(inner);
    if (!file)
      return mlir::WalkResult::advance();
    os << file.getFilename().getValue() << ":" << file.getLine() << ":" << file.getColumn() << ": ";
    return mlir::WalkResult::interrupt();
  });
  bool remark = diagnostic.getSeverity() == mlir::DiagnosticSeverity::Remark;
  os << (remark                                                          ? "remark: "
         : diagnostic.getSeverity() == mlir::DiagnosticSeverity::Warning ? "warning: "
                                                                         : "error: ")
     << diagnostic;
  if (!remark)
    errs() << text << "\n";
  else if (options.remarks)
    remarkLines.push_back(text);
}

int Compilation::printAST() {
  std::optional<unsigned> buffer = openSource(options.input, diagnostics);
  if (buffer) {
    ast::AstArena arena;
    ast::File file = parseFile(*buffer, diagnostics, arena);
    if (!diagnostics.hasErrors()) {
      file.dump(outs());
      return 0;
    }
  }
  diagnostics.print(errs());
  return 1;
}

bool Compilation::import() {
  ImportOptions import{options.model, options.sets, installation.std};
  module = importModel(context, diagnostics, options.input, import);
  if (!module)
    diagnostics.print(errs());
  return static_cast<bool>(module);
}

bool Compilation::bind() {
  // Without weights, stages that are only printed go on: they need names and shapes alone.
  if (options.weights.empty() && !wants("library"))
    return true;
  Error error =
      bindWeights(*module, {options.weights, options.weightsPrefix, options.allowUnusedWeights});
  if (!error)
    return true;
  report(toString(std::move(error)));
  return false;
}

bool Compilation::runStages() {
  Options passOptions = options.options;
  std::string why;
  if (passOptions.backend == Backend::Halide)
    halide =
        installation.halide.empty() ? nullptr : halide::Generator::load(installation.halide, why);
  if (!halide && passOptions.backend == Backend::Halide) {
    report("the Halide plug-in is not there" + (why.empty() ? "" : " (" + why + ")") +
           "; build Kiln with Halide or leave out --backend=halide");
    return false;
  }
  passOptions.halideAvailable = halide != nullptr;
  for (const Stage &stage : stages().slice(2)) {
    mlir::PassManager manager(&context);
    addStage(manager, stage.name, passOptions);
    if (TimePassesIsEnabled) // --time-passes is an option of LLVM itself
      manager.enableTiming();
    if (failed(manager.run(*module)))
      return false;
    if (wants(stage.name))
      break;
  }
  llvm::sort(remarkLines);
  for (const std::string &line : remarkLines)
    errs() << line << "\n";
  return true;
}

std::string Compilation::outputOr(StringRef ending) const {
  if (!options.output.empty())
    return options.output;
  auto model = (*module)->getAttrOfType<mlir::StringAttr>("kiln.model");
  return "lib" + host::snakeCase(model ? model.getValue() : "model") + ending.str();
}

/// The IR, with its weights beside it if it goes to a file.
int Compilation::emitText() {
  mlir::OpPrintingFlags flags;
  flags.enableDebugInfo(false);
  if (options.output.empty()) {
    module->print(outs(), flags);
    return 0;
  }
  Error error = writeToOutput(options.output, [&](raw_ostream &os) -> Error {
    module->print(os, flags);
    return Error::success();
  });
  if (error)
    return report("cannot write '" + options.output + "': " + toString(std::move(error)));
  std::vector<std::string> hashes;
  for (auto weight : module->getOps<ir::WeightOp>())
    if (weight.getHash())
      hashes.push_back(weight.getHash()->str());
  SmallString<128> path(options.output);
  sys::path::replace_extension(path, "kwts");
  WeightStore &store = context.getLoadedDialect<ir::KilnDialect>()->getWeights();
  if (Error failed = hashes.empty() ? Error::success() : writeStore(path, store, hashes))
    return report(toString(std::move(failed)));
  return 0;
}

/// Names of targets to what LLVM calls them; nothing (and a report) for an unknown one.
static std::vector<host::Target> resolveTargets(ArrayRef<std::string> names) {
  std::vector<host::Target> targets;
  for (const std::string &name : names) {
    const target::Target *facts = target::find(name);
    if (!facts) {
      report("unknown target '" + name + "', expected native, x86-64-v3, x86-64-v4 or zen4");
      return {};
    }
    targets.push_back(
        {std::string(facts->name), std::string(facts->llvmCpu), std::string(facts->llvmFeatures)});
  }
  return targets;
}

int Compilation::build() {
  FailureOr<StringMap<host::KernelEntry>> kernels = codegen::lowerKernels(*module);
  if (failed(kernels))
    return 2;
  if (wants("kernels")) {
    for (auto kernel : module->getOps<ir::KernelOp>())
      outs() << "# " << kernel.getSymName() << "\n"
             << spec::print(kernels->find(kernel.getSymName())->second.spec) << "\n";
    return 0;
  }
  codegen::GenerateOptions generate;
  generate.targets = resolveTargets(options.targets);
  if (generate.targets.empty())
    return 1;
  generate.optLevel = options.options.optLevel;
  generate.halide = halide.get();
  generate.jobs = options.jobs;
  generate.cacheFolder = options.cacheFolder;
  if (options.progress)
    generate.progress = [](unsigned done, unsigned all) {
      errs() << "\rkernels " << done << "/" << all << (done == all ? "\n" : "");
    };
  std::string generators;
  Expected<std::vector<link::TargetKernels>> code =
      codegen::generateKernels(*module, *kernels, generate, generators);
  if (!code)
    return report(toString(code.takeError())), 2;
  FailureOr<host::Program> planned =
      host::fromModule(*module, *kernels, "kiln 0.1.0; " + generators);
  if (failed(planned))
    return 2;
  const host::Program &program = *planned;
  if (Error error = host::check(program))
    return report(toString(std::move(error)));
  if (wants("host")) {
    LLVMContext llvmContext;
    host::emitHost(llvmContext, program, generate.targets, "kiln_model_v1")->print(outs(), nullptr);
    return 0;
  }
  WeightStore &store = context.getLoadedDialect<ir::KilnDialect>()->getWeights();
  auto weights = [&](size_t index, function_ref<void(ArrayRef<uint8_t>)> sink) -> Error {
    const WeightView *view = store.find(program.weights[index].contentHash);
    if (!view)
      return createStringError("the weight '" + program.weights[index].name + "' has no value");
    sink(view->bytes);
    store.dropPages(program.weights[index].contentHash);
    return Error::success();
  };
  link::LibraryInputs inputs;
  inputs.program = &program;
  inputs.targets = std::move(*code);
  inputs.weights = weights;
  inputs.outputPath = outputOr(".so");
  inputs.kind = link::kindOf(inputs.outputPath);
  SmallString<128> header(sys::path::parent_path(inputs.outputPath));
  sys::path::append(header, program.modelName + ".h");
  inputs.headerPath = std::string(header);
  inputs.mapPath = options.mapPath;
  if (Error error = link::buildLibrary(inputs))
    return report(toString(std::move(error)));
  return 0;
}

int Compilation::run() {
  if (wants("ast"))
    return printAST();
  context.loadDialect<ir::KilnDialect, mlir::func::FuncDialect>();
  context.getDiagEngine().registerHandler([this](mlir::Diagnostic &d) { handle(d); });
  if (!import() || failed(applyDimensions(*module, options.options)) || !bind())
    return 1;
  if (wants("import"))
    return emitText();
  registerPasses();
  if (!runStages())
    return 1;
  if (wants("kernels") || wants("host") || wants("library"))
    return build();
  return emitText();
}

int kiln::compile(const CompileOptions &options, const Installation &installation) {
  return Compilation(options, installation).run();
}
