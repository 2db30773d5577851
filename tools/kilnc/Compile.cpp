//===- Compile.cpp - a model file to a library ----------------------------===//

#include "tools/kilnc/Compile.h"

#include "codegen/Generate.h"
#include "codegen/link/TemporaryFolder.h"
#include "codegen/loader/Loader.h"
#include "frontend/Import.h"
#include "frontend/syntax/Parser.h"
#include "frontend/weights/Bind.h"
#include "frontend/weights/StoreFile.h"
#include "ir/KilnOps.h"
#include "ir/target/Target.h"
#include "passes/CheckEach.h"
#include "passes/Pipeline.h"
#include "tools/kilnc/Budget.h"
#include "tools/kilnc/HtmlReport.h"
#include "tools/kilnc/Info.h"
#include "tools/kilnc/Remarks.h"
#include "tools/kilnc/Report.h"
#include "tools/kilnc/Verify.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Pass.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <malloc.h>
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

namespace {
/// One run of the compiler.
class Compilation {
public:
  Compilation(const CompileOptions &options, const Installation &installation)
      : options(options), installation(installation), diagnostics(sources) {
    context.printOpOnDiagnostic(false); // a place in the model says more to its author
  }
  int run();

private:
  int printAST();
  bool import();
  bool bind();
  bool readIR();
  bool loadHalide();
  int runStages();
  bool prepareVerification();
  bool writeLedger();
  bool startBudget();
  bool finishCompression();
  int buildAndVerify(const link::LibraryInputs &inputs);
  int writeReport(const host::Program &program, ArrayRef<const target::Target *> targets);
  void dropWeights();
  int failInternally(StringRef where);
  int emitText();
  int emitTo(function_ref<void(raw_ostream &)> write);
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
  RemarkLines remarks;
  std::unique_ptr<CheckEach> calls; ///< for --verify
  Budget budget;
  mlir::OwningOpRef<mlir::ModuleOp> before; ///< the module as it went into the stage that runs
};
} // namespace

/// Remarks are kept; errors and notes are printed at their place.
void Compilation::handle(mlir::Diagnostic &diagnostic) {
  if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Remark)
    return remarks.add(diagnostic.getLocation(), "", diagnostic.str());
  report(diagnostic);
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
  report(diagnostics);
  return 1;
}

/// IR that kilnc or kiln-opt wrote, with the weights beside it.
bool Compilation::readIR() {
  SourceMgr irSources;
  std::optional<mlir::SourceMgrDiagnosticHandler> handler;
  if (!areReportsJson()) // text has the source lines of the IR, too
    handler.emplace(irSources, &context);
  module = mlir::parseSourceFile<mlir::ModuleOp>(options.input, irSources, &context);
  if (!module)
    return false;
  SmallString<128> path(options.input);
  sys::path::replace_extension(path, "kwts");
  if (!sys::fs::exists(path))
    return true;
  if (Error error = readStore(path, context.getLoadedDialect<ir::KilnDialect>()->getWeights())) {
    report(toString(std::move(error)));
    return false;
  }
  return true;
}

bool Compilation::import() {
  if (StringRef(options.input).ends_with(".mlir")) {
    if (!options.recipe.empty())
      report("--recipe is for models; IR holds its rules in 'kiln.compress'");
    return options.recipe.empty() && readIR();
  }
  ImportOptions import{options.model, options.sets, installation.std, options.recipe};
  module = importModel(context, diagnostics, options.input, import);
  if (!module)
    report(diagnostics);
  return static_cast<bool>(module);
}

bool Compilation::bind() {
  // Without weights, stages that are only printed go on: they need names and shapes alone.
  // IR may have brought them.
  bool isBound = all_of(module->getOps<ir::WeightOp>(),
                        [](ir::WeightOp weight) { return weight.getHash().has_value(); });
  if (options.weights.empty() && (isBound || !wants("library")))
    return true;
  Error error = bindWeights(*module, {options.weights, options.weightsPrefix,
                                      options.allowUnusedWeights, options.renames});
  if (!error)
    return true;
  report(toString(std::move(error)));
  return false;
}

/// Loads the plug-in, which is large, if a kernel wants it. Only where it was asked for is it an
/// error that it is not there.
bool Compilation::loadHalide() {
  std::string why;
  bool isWanted = any_of(module->getOps<ir::KernelOp>(), [](ir::KernelOp kernel) {
    auto generator = kernel->getAttrOfType<mlir::StringAttr>("kiln.generator");
    return generator && generator.getValue() == "halide";
  });
  bool isDemanded = options.options.backend == Backend::Halide;
  if (isWanted || isDemanded)
    halide =
        installation.halide.empty() ? nullptr : halide::Generator::load(installation.halide, why);
  if (halide || !isDemanded)
    return true;
  report("the Halide plug-in is not there" + (why.empty() ? "" : " (" + why + ")") +
         "; build Kiln with Halide or leave out --backend=halide");
  return false;
}

/// The stage that a module has been through, by what only that stage writes.
static StringRef stageOf(mlir::ModuleOp module) {
  StringRef stage = "import";
  for (auto kernel : module.getOps<ir::KernelOp>())
    stage = kernel->hasAttr("kiln.generator") ? "choose" : "fuse";
  for (auto function : module.getOps<mlir::func::FuncOp>())
    if (function->hasAttr("kiln.arena"))
      stage = "plan";
  return stage;
}

/// Frees what only earlier forms of the module read.
void Compilation::dropWeights() {
  StringSet<> used;
  for (auto weight : module->getOps<ir::WeightOp>())
    if (weight.getHash())
      used.insert(*weight.getHash());
  for (auto state : module->getOps<ir::StateOp>())
    if (state.getHash())
      used.insert(*state.getHash());
  context.getLoadedDialect<ir::KilnDialect>()->getWeights().keepOnly(used);
}

/// Keeps calls of the import's entry points with the interpreter's results.
bool Compilation::prepareVerification() {
  if (options.progress)
    errs() << "verify: the interpreter runs the model\n";
  if (options.verifyInputs.empty()) {
    calls = CheckEach::start(*module);
    return calls != nullptr;
  }
  Expected<std::unique_ptr<CheckEach>> given = callsOf(*module, options.verifyInputs);
  if (!given) {
    report(toString(given.takeError()));
    return false;
  }
  calls = std::move(*given);
  return true;
}

/// The processor that `choose` decides for: the last one named. Without one there is nothing to
/// decide, and a generator for processors that was asked for has nothing to do: false.
static bool chooseFor(Options &passOptions, ArrayRef<std::string> targets) {
  bool isForProcessor = false;
  for (const std::string &name : targets)
    if (const target::Target *facts = target::find(name);
        !facts || facts->kind == target::Kind::Processor) {
      passOptions.target = name;
      isForProcessor = true;
    } else {
      passOptions.fastConv = "off"; // all targets read the same weights, and GPUs want the filters
    }
  bool isFine = isForProcessor || passOptions.backend != Backend::Halide;
  if (!isForProcessor)
    passOptions.backend = Backend::LLVM;
  passOptions.isForDevices = !isForProcessor;
  return isFine;
}

/// Reads the data that the compressed model is measured on, and finds what to hold back.
bool Compilation::startBudget() {
  budget.saveTo(options.saveCalibrationPath);
  if (!budget.start(*module, options.calibrationPath, !options.ledgerPath.empty(),
                    options.progress))
    return false;
  remarks.isPaused = true; // of trials
  bool isMet = budget.meet(*module, [this] { dropWeights(); });
  remarks.isPaused = false;
  return isMet;
}

/// What compression did to the whole model, and the ledger.
bool Compilation::finishCompression() { return budget.finish(*module) && !writeLedger(); }

/// Where it was asked for. True after an error.
bool Compilation::writeLedger() {
  if (options.ledgerPath.empty())
    return false;
  Error error = writeToOutput(options.ledgerPath, [&](raw_ostream &os) -> Error {
    print(os, context.getLoadedDialect<ir::KilnDialect>()->getLedger(), budget.model());
    return Error::success();
  });
  return error &&
         report("cannot write '" + options.ledgerPath + "': " + toString(std::move(error)));
}

/// 0, or the exit status after an error.
int Compilation::runStages() {
  Options passOptions = options.options;
  passOptions.halideAvailable = !installation.halide.empty();
  if (!chooseFor(passOptions, options.targets))
    return report("--backend=halide generates code for processors, but every --target is a GPU; "
                  "leave it out, or name a processor too");
  std::unique_ptr<CheckEach> check;
  if (options.checkEach && !(check = CheckEach::start(*module)))
    return 1;
  if (options.verify && wants("library") && !prepareVerification())
    return 1;
  bool isLossy = module->getOperation()->hasAttr("kiln.compress");
  if ((isLossy || !options.ledgerPath.empty()) && stageOf(*module) != "import")
    return report("the IR is behind the stages that compress; leave out --quantize, --prune and "
                  "--ledger");
  ArrayRef<Stage> left = stages();
  while (left.front().name != stageOf(*module))
    left = left.drop_front();
  for (const Stage &stage : left.drop_front()) {
    if (stage.name == "prune" && !startBudget())
      return 1;
    bool isCompression = stage.name == "prune" || stage.name == "quantize";
    if (isCompression && !budget.calibrate(*module, stage.name))
      return 1;
    before = module->clone();
    mlir::PassManager manager(&context);
    addStage(manager, stage.name, passOptions);
    if (TimePassesIsEnabled) // --time-passes is an option of LLVM itself
      manager.enableTiming();
    bool isRecipes = stage.exactness == "lossy";
    if (failed(manager.run(*module)))
      return isRecipes ? 1 : failInternally(stage.name); // a rule that fits nothing
    if (check && !(isRecipes && isLossy) && failed(check->compare(*module, stage.name)))
      return failInternally(stage.name);
    // What a recipe loses is in the ledger; later stages are judged by what it left.
    for (CheckEach *each : {check.get(), calls.get()})
      if (each && isRecipes && isLossy && failed(each->rebase(*module)))
        return failInternally(stage.name);
    dropWeights();
    if (stage.name == "quantize" && !finishCompression())
      return 1;
    if (wants(stage.name))
      break;
  }
  before = nullptr;
  return 0;
}

/// Leaves what repeats the fault: the module in front of the stage, without its weights.
int Compilation::failInternally(StringRef where) {
  std::string path = outputOr("") + ".reproducer.mlir";
  mlir::OpPrintingFlags flags;
  flags.enableDebugInfo(true);
  Error error = writeToOutput(path, [&](raw_ostream &os) -> Error {
    os << "// " << versionText() << "\n// command: " << options.commandLine
       << "\n// fails in: " << where
       << "\n// The weights are not contained; --weights random:1 gives others.\n";
    (before ? *before : *module)->print(os, flags);
    return Error::success();
  });
  if (error)
    report("internal fault in '" + where + "'; cannot write '" + path +
           "': " + toString(std::move(error)));
  else
    report("internal fault in '" + where + "': please report it with '" + path + "'");
  return 2;
}

std::string Compilation::outputOr(StringRef ending) const {
  if (!options.output.empty())
    return options.output;
  auto model = (*module)->getAttrOfType<mlir::StringAttr>("kiln.model");
  return "lib" + host::snakeCase(model ? model.getValue() : "model") + ending.str();
}

/// Whether a path names something that is there and no file, like a device or a pipe: nothing is
/// put in its place or beside it.
static bool isSpecialFile(StringRef path) {
  sys::fs::file_status status;
  return !sys::fs::status(path, status) && sys::fs::exists(status) &&
         !sys::fs::is_regular_file(status);
}

/// Prints, or writes to the file that -o names.
int Compilation::emitTo(function_ref<void(raw_ostream &)> write) {
  if (options.output.empty()) {
    write(outs());
    return 0;
  }
  if (isSpecialFile(options.output)) {
    std::error_code code;
    raw_fd_ostream os(options.output, code);
    if (code)
      return report("cannot write '" + options.output + "': " + code.message());
    write(os);
    return 0;
  }
  Error error = writeToOutput(options.output, [&](raw_ostream &os) -> Error {
    write(os);
    return Error::success();
  });
  return error ? report("cannot write '" + options.output + "': " + toString(std::move(error))) : 0;
}

/// The IR, with its weights beside it if it goes to a file.
int Compilation::emitText() {
  mlir::OpPrintingFlags flags;
  flags.enableDebugInfo(!options.output.empty());
  if (int code = emitTo([&](raw_ostream &os) { module->print(os, flags); });
      code || options.output.empty() || isSpecialFile(options.output))
    return code;
  std::vector<std::string> hashes;
  for (auto weight : module->getOps<ir::WeightOp>())
    if (weight.getHash())
      hashes.push_back(weight.getHash()->str());
  for (auto state : module->getOps<ir::StateOp>())
    if (state.getHash())
      hashes.push_back(state.getHash()->str());
  SmallString<128> path(options.output);
  sys::path::replace_extension(path, "kwts");
  WeightStore &store = context.getLoadedDialect<ir::KilnDialect>()->getWeights();
  if (Error failed = hashes.empty() ? Error::success() : writeStore(path, store, hashes))
    return report(toString(std::move(failed)));
  return 0;
}

/// Each target once, the plainest first; nothing (and a report) for an unknown name.
static std::vector<const target::Target *> resolveTargets(ArrayRef<std::string> names) {
  SmallPtrSet<const target::Target *, 4> wanted;
  for (const std::string &name : names) {
    const target::Target *facts = target::find(name);
    if (!facts) {
      report("unknown target '" + name + "'; --list-targets prints those that there are");
      return {};
    }
    wanted.insert(facts);
  }
  std::vector<const target::Target *> targets;
  for (const target::Target &facts : target::all())
    if (wanted.contains(&facts))
      targets.push_back(&facts);
  return targets;
}

/// libone.so to one.h, in the same folder.
static std::string headerBeside(StringRef library) {
  StringRef stem = sys::path::stem(library);
  if (stem.size() > 3)
    stem.consume_front("lib");
  SmallString<128> path(sys::path::parent_path(library));
  sys::path::append(path, stem + ".h");
  return std::string(path);
}

int Compilation::build() {
  FailureOr<StringMap<host::KernelEntry>> kernels = codegen::lowerKernels(*module);
  if (failed(kernels))
    return failInternally("kernels");
  if (wants("kernels"))
    return emitTo([&](raw_ostream &os) {
      for (auto kernel : module->getOps<ir::KernelOp>())
        os << "# " << kernel.getSymName() << "\n"
           << spec::print(kernels->find(kernel.getSymName())->second.spec) << "\n";
    });
  codegen::GenerateOptions generate;
  generate.targets = resolveTargets(options.targets);
  if (generate.targets.empty())
    return 1;
  generate.optLevel = options.options.optLevel;
  generate.halide = halide.get();
  generate.jobs = options.jobs;
  generate.cubins = options.cubins;
  generate.cacheFolder = options.cacheFolder;
  if (options.progress)
    generate.progress = [](unsigned done, unsigned all) {
      errs() << "\rkernels " << done << "/" << all << (done == all ? "\n" : "");
    };
  std::string generators;
  Expected<std::vector<link::TargetKernels>> code =
      codegen::generateKernels(*module, *kernels, generate, generators);
  if (!code)
    return report(toString(code.takeError())), failInternally("kernels");
  malloc_trim(0); // what the generators left, before the linker holds the weights as well
  FailureOr<host::Program> planned =
      host::fromModule(*module, *kernels, "kiln " KILN_VERSION "; " + generators);
  if (failed(planned))
    return failInternally("host");
  const host::Program &program = *planned;
  if (Error error = host::check(program))
    return report(toString(std::move(error))), failInternally("host");
  if (wants("host"))
    return emitTo([&](raw_ostream &os) {
      LLVMContext llvmContext;
      std::vector<host::Target> targets;
      for (const link::TargetKernels &target : *code)
        targets.push_back(target.target);
      host::emitHost(llvmContext, program, targets, "kiln_model_v1")->print(os, nullptr);
    });
  WeightStore &store = context.getLoadedDialect<ir::KilnDialect>()->getWeights();
  auto weights = [&](size_t index, function_ref<void(ArrayRef<uint8_t>)> sink) -> Error {
    const WeightView *view = store.find(program.weights[index].contentHash);
    if (!view)
      return createStringError("the weight '" + program.weights[index].name + "' has no value");
    sink(view->bytes);
    store.dropPages(program.weights[index].contentHash);
    return Error::success();
  };
  if (isSpecialFile(outputOr(".so")))
    return report("expected a file for -o, got the device or pipe '" + outputOr(".so") + "'");
  link::LibraryInputs inputs;
  inputs.program = &program;
  inputs.targets = std::move(*code);
  inputs.weights = weights;
  inputs.outputPath = outputOr(".so");
  inputs.kind = link::kindOf(inputs.outputPath);
  inputs.headerPath = options.header.empty() ? headerBeside(inputs.outputPath) : options.header;
  inputs.mapPath = options.mapPath;
  if (int code = buildAndVerify(inputs))
    return code;
  return writeReport(program, generate.targets);
}

/// Where it was asked for; 0, or the exit status after an error.
int Compilation::writeReport(const host::Program &program,
                             ArrayRef<const target::Target *> targets) {
  if (options.reportPath.empty())
    return 0;
  std::vector<std::string> lines = remarks.texts();
  Error error = writeToOutput(options.reportPath, [&](raw_ostream &os) -> Error {
    writeHtmlReport(os, {*module, program, targets, lines, budget.model()});
    return Error::success();
  });
  return error ? report("cannot write '" + options.reportPath + "': " + toString(std::move(error)))
               : 0;
}

/// Writes the library. With --verify a shared one is tried first, in a place of its own.
int Compilation::buildAndVerify(const link::LibraryInputs &inputs) {
  if (calls) {
    Expected<link::TemporaryFolder> folder = link::TemporaryFolder::inSystem("kilnc-verify");
    if (!folder)
      return report(toString(folder.takeError()));
    link::LibraryInputs trial = inputs;
    trial.outputPath = folder->file("model.so");
    trial.kind = link::OutputKind::Shared;
    trial.headerPath = trial.mapPath = "";
    Error error = link::buildLibrary(trial);
    if (!error)
      error = verifyLibrary(trial.outputPath, *calls, *module);
    if (!error && budget.limit())
      error = verifyBudget(trial.outputPath, *budget.data(), *budget.limit());
    bool isWithoutDevice = false;
    visitErrors(error, [&](const ErrorInfoBase &info) {
      isWithoutDevice = info.convertToErrorCode() == std::errc::no_such_device;
    });
    if (isWithoutDevice)
      return report("--verify has nothing that runs the library: " + toString(std::move(error)) +
                    "; leave out --verify, or name a processor too: --target native,cuda:sm_80");
    if (error)
      return report("--verify: " + toString(std::move(error))), failInternally("library");
  }
  Error error = link::buildLibrary(inputs);
  if (!error)
    return 0;
  std::string text = toString(std::move(error));
  report(text);
  return StringRef(text).starts_with("cannot write") ? 1 : failInternally("library");
}

int Compilation::run() {
  if (wants("ast"))
    return printAST();
  if (sys::fs::is_directory(options.output))
    return report("expected a file for -o, got the folder '" + options.output + "'");
  context.loadDialect<ir::KilnDialect, mlir::func::FuncDialect>();
  context.getDiagEngine().registerHandler([this](mlir::Diagnostic &d) { handle(d); });
  if (!options.reportPath.empty() && !wants("library"))
    return report("--report is about a library; leave out --emit");
  if (options.remarks || !options.reportPath.empty())
    remarks.listenTo(context);
  scope_exit printRemarks([this] {
    if (options.remarks)
      remarks.print(errs());
  });
  if (!import() || failed(host::checkNames(*module)) ||
      failed(applyDimensions(*module, options.options)) || !bind())
    return 1;
  addRules(*module, options.options);
  if (wants("import"))
    return emitText();
  registerPasses();
  if (int code = runStages())
    return code;
  if (!loadHalide())
    return 1;
  if (wants("kernels") || wants("host") || wants("library"))
    return build();
  return emitText();
}

int kiln::compile(const CompileOptions &options, const Installation &installation) {
  return Compilation(options, installation).run();
}
