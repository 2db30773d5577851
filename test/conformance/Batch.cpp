//===- Batch.cpp - cases compiled into one library ------------------------===//

#include "test/conformance/Batch.h"

#include "codegen/Generate.h"
#include "frontend/Import.h"
#include "frontend/weights/Bind.h"
#include "ir/Interpreter.h"
#include "ir/KilnOps.h"
#include "ir/target/Target.h"
#include "passes/Pipeline.h"
#include "test/conformance/Library.h"
#include "test/conformance/Values.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

#include <dlfcn.h>
#include <random>

using namespace kiln;
using namespace kiln::conformance;

std::string Config::str() const {
  return "-O" + std::to_string(optLevel) + " " + (halide ? "halide" : "llvm") + " " + target;
}

namespace {
/// A case under test.
struct Running {
  const Case *what;
  ir::States states = {}; ///< after the calls prepared so far
  ir::ErrorStates errorStates = ir::ErrorStates(ir::numErrorRuns); ///< the same in each run
  ir::FusionRole role = ir::FusionRole::Movement;
  std::vector<Call> calls = {};
  bool done = false; ///< has its outcome
};

class Batch {
public:
  Batch(const BatchOptions &options, llvm::function_ref<void(const Outcome &)> give)
      : options(options), give(give) {}
  void run(llvm::ArrayRef<Case> cases);

private:
  mlir::OwningOpRef<mlir::ModuleOp> import(const std::string &text, std::string &why);
  void keepLegal(llvm::ArrayRef<Case> cases);
  void prepare(Running &running);
  void prepareCall(Running &running, const std::string &entry, unsigned number);
  mlir::FunctionOpInterface find(llvm::StringRef entry);
  std::optional<std::vector<ir::Tensor>> interpret(const Call &call, ir::States &states);
  void exportCalls();
  bool runStages();
  ir::Allowed errorsOfTerms(const Running &running, const Call &call, size_t result);
  std::string difference(const Running &running, Call &call, size_t result, const ir::Tensor &got);
  void checkStage(llvm::StringRef stage);
  bool build();
  bool lendDriver(const llvm::StringMap<host::KernelEntry> &kernels);
  void callLibrary();
  void callCase(Running &running, llvm::ArrayRef<std::unique_ptr<Instance>> instances);
  std::string callBoth(const Running &running, Call &call, bool guardInFront,
                       llvm::ArrayRef<std::unique_ptr<Instance>> instances);
  void fail(Running &running, const llvm::Twine &stage, const Call *call, const llvm::Twine &text);
  void whole(const llvm::Twine &stage, const llvm::Twine &text);
  llvm::SmallString<64> path(llvm::StringRef name) const;

  const BatchOptions &options;
  llvm::function_ref<void(const Outcome &)> give;
  llvm::SmallString<64> folder;
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module, imported; ///< the latter stays as it was
  std::string said;                                   ///< errors since it was last emptied
  std::vector<Running> cases;
};
} // namespace

llvm::SmallString<64> Batch::path(llvm::StringRef name) const {
  return llvm::SmallString<64>(folder.str().str() + "/" + name.str());
}

void Batch::fail(Running &running, const llvm::Twine &stage, const Call *call,
                 const llvm::Twine &text) {
  running.done = true;
  std::string at = call && running.what->entries.size() > 1 ? " " + call->entry : "";
  if (call)
    for (auto &[dim, size] : call->dims)
      at += " " + dim + "=" + std::to_string(size);
  give({Outcome::Failed, running.what->id,
        (llvm::StringRef(ir::toleranceOf(running.role).name) + ", after " + stage +
         (at.empty() ? "" : "," + at) + ": " + text)
            .str()});
}

void Batch::whole(const llvm::Twine &stage, const llvm::Twine &text) {
  give({Outcome::Whole, 0, (stage + ": " + text).str()});
}

mlir::OwningOpRef<mlir::ModuleOp> Batch::import(const std::string &text, std::string &why) {
  llvm::SmallString<64> file = path("model.kiln");
  std::error_code error;
  llvm::raw_fd_ostream(file, error) << text;
  llvm::SourceMgr sources;
  Diagnostics diagnostics(sources);
  auto imported = importModel(context, diagnostics, file, {"", {}, options.stdDir});
  llvm::raw_string_ostream os(why);
  for (const Diagnostics::Error &one : diagnostics.sorted())
    os << one.message << " [" << kiln::name(one.code) << "] ";
  return imported;
}

/// Imports each case by itself; those that the front end refuses are given and left out.
void Batch::keepLegal(llvm::ArrayRef<Case> all) {
  for (const Case &one : all) {
    std::string why;
    Running running{&one};
    auto alone = import(one.model(), why);
    if (!alone) {
      give({Outcome::Refused, one.id, why});
      continue;
    }
    running.role = ir::FusionRole::Movement; // ops that decompose into movement have no role
    alone->walk([&](ir::Fusable op) {
      if (op->getName().stripDialect() == one.op)
        running.role = isExact(one.op) ? ir::FusionRole::Movement : op.getFusionRole();
    });
    cases.push_back(std::move(running));
  }
}

mlir::FunctionOpInterface Batch::find(llvm::StringRef entry) {
  return module->lookupSymbol<mlir::FunctionOpInterface>(entry);
}

/// Random weights have zeros for integers; those of a byte are how weights are stored in fewer
/// bits, and get any value.
static void fillBytes(mlir::ModuleOp module) {
  WeightStore &store = module.getContext()->getLoadedDialect<ir::KilnDialect>()->getWeights();
  for (auto weight : module.getOps<ir::WeightOp>()) {
    auto type = mlir::cast<mlir::RankedTensorType>(weight.getType());
    std::optional<DType> element = ir::dtypeOf(type);
    if (element != DType::I8 && element != DType::U8)
      continue;
    std::vector<uint8_t> bytes(type.getNumElements());
    std::mt19937_64 random(llvm::xxh3_64bits(weight.getSymName()));
    for (uint8_t &byte : bytes)
      byte = random();
    weight.setHash(store.addOwned(*element, type.getShape(), std::move(bytes)));
  }
}

/// A call that fails is one that is refused at entry, which leaves the states as they were.
std::optional<std::vector<ir::Tensor>> Batch::interpret(const Call &call, ir::States &states) {
  mlir::FunctionOpInterface function = find(call.entry);
  if (!function)
    return std::nullopt;
  ir::States before = states;
  auto results = ir::interpret(function, call.arguments, nullptr, &states);
  if (failed(results)) {
    states = std::move(before);
    return std::nullopt;
  }
  return std::vector<ir::Tensor>(results->begin(), results->end());
}

static ir::Tensor zerosOf(mlir::Type type, const ir::Evaluation &evaluation) {
  ir::Tensor tensor(*ir::dtypeOf(type), {});
  for (const DimExpr &dim : ir::dimsOf(type))
    tensor.shape.push_back(std::max<int64_t>(0, evaluation.tryValue(dim).value_or(0)));
  return ir::Tensor(tensor.type, tensor.shape);
}

void Batch::prepareCall(Running &running, const std::string &entry, unsigned number) {
  mlir::FunctionOpInterface function = find(entry);
  const Dims dims = sizesOfCalls()[number % sizesOfCalls().size()];
  Call call{entry, dims, {}, {}, std::nullopt, {}};
  ir::Evaluation evaluation{dims};
  bool multiplies = llvm::StringRef(running.what->members).contains("prod(");
  unsigned turn = running.what->id + number;
  bool isSpecial = running.what->isThorough    ? number >= sizesOfCalls().size()
                   : running.what->isProgram() ? turn % 4 == 0
                                               : turn % 2 == 1;
  Special special = !isSpecial   ? Special::None
                    : multiplies ? Special::Moderate
                    : running.what->isProgram() || ir::toleranceOf(running.role).sums ||
                            ir::cancels(running.what->op)
                        ? Special::NoLimits
                        : Special::All;
  for (mlir::Type type : function.getArgumentTypes()) {
    ir::Tensor shaped = zerosOf(type, evaluation);
    call.arguments.push_back(makeTensor(shaped.type, shaped.shape,
                                        options.seed * 1000003 + running.what->id * 64 +
                                            number * 8 + call.arguments.size(),
                                        special));
  }
  for (mlir::Type type : function.getResultTypes())
    call.results.push_back(zerosOf(type, evaluation));
  call.expected = interpret(call, running.states);
  if (call.expected && running.what->isProgram())
    call.allowed = ir::allowedErrors(function, call.arguments, *call.expected, running.errorStates);
  running.calls.push_back(std::move(call));
}

void Batch::prepare(Running &running) {
  const std::vector<std::string> &entries = running.what->entries;
  if (running.what->hasStates) { // in an order of the case's own, the last entry after each
    constexpr unsigned numCalls = 6;
    for (unsigned number = 0; number < numCalls; ++number) {
      size_t others = std::max<size_t>(entries.size() - 1, 1);
      unsigned die = (running.what->id * numCalls + number + 1) * 2654435761u >> 16;
      prepareCall(running, entries[die % others], number + running.what->id);
      prepareCall(running, entries.back(), number);
    }
    return;
  }
  for (const std::string &entry : entries) {
    bool isFixed = ir::declaredBounds(find(entry)).empty();
    // Two calls where nothing varies: plain and special values.
    size_t calls = running.what->isThorough ? 2 * sizesOfCalls().size()
                   : isFixed                ? 2
                                            : sizesOfCalls().size();
    for (unsigned number = 0; number < calls; ++number)
      prepareCall(running, entry, number);
  }
}

/// Of a single op: sums that cancel are off by units of what they add up.
ir::Allowed Batch::errorsOfTerms(const Running &running, const Call &call, size_t result) {
  const ir::Tensor &expected = (*call.expected)[result];
  if (!expected.isFloat())
    return {};
  if (ir::addsTerms(running.role, running.what->op)) {
    std::vector<ir::Tensor> sizes = call.arguments;
    for (ir::Tensor &argument : sizes)
      for (double &value : argument.floats)
        value = std::isfinite(value) ? std::fabs(value) : 0;
    auto terms =
        ir::interpret(imported->lookupSymbol<mlir::FunctionOpInterface>(call.entry), sizes);
    if (succeeded(terms))
      return errorsOfSums((*terms)[result]);
  }
  // The interpreter itself adds up in f64.
  if (expected.type == DType::F64 && running.role == ir::FusionRole::RowWise)
    return ir::Allowed(expected.numElements(), errorOfReduction(call.arguments, expected));
  return {};
}

/// A program's call is wrong only by the errors of many runs; they are tried where few do not
/// explain it. States would need the calls before.
std::string Batch::difference(const Running &running, Call &call, size_t result,
                              const ir::Tensor &got) {
  const ir::Tensor &expected = (*call.expected)[result];
  if (!running.what->isProgram()) {
    bool cancels = ir::cancels(running.what->op);
    std::string text = conformance::difference(expected, got, running.role, cancels);
    return text.empty() ? text
                        : conformance::difference(expected, got, running.role, cancels,
                                                  errorsOfTerms(running, call, result));
  }
  std::string text = conformance::difference(expected, got, call.allowed[result]);
  if (text.empty() || call.isSure || running.what->hasStates)
    return text;
  call.allowed =
      ir::surelyAllowedErrors(imported->lookupSymbol<mlir::FunctionOpInterface>(call.entry),
                              call.arguments, *call.expected);
  call.isSure = true;
  return conformance::difference(expected, got, call.allowed[result]);
}

void Batch::checkStage(llvm::StringRef stage) {
  for (Running &running : cases) {
    ir::States states;
    for (Call &call : running.calls) {
      if (running.done || !call.expected)
        continue;
      said.clear();
      auto got = interpret(call, states);
      if (!got) {
        fail(running, stage, &call, "the interpreter stops: " + said);
        continue;
      }
      for (auto [i, result] : llvm::enumerate(*got))
        if (std::string text = difference(running, call, i, result); !text.empty() && !running.done)
          fail(running, stage, &call, text);
    }
  }
}

void Batch::exportCalls() {
  for (Running &running : cases) {
    for (const Call &call : running.calls)
      if (std::string error = exportCall(options.exportDir, *running.what, call); !error.empty())
        return whole("export", error);
    give({Outcome::Passed, running.what->id, ""});
  }
}

bool Batch::runStages() {
  Options pass;
  pass.optLevel = options.config.optLevel;
  pass.backend = options.config.halide ? Backend::Halide : Backend::LLVM;
  pass.halideAvailable = options.config.halide;
  pass.fastConv = options.config.halide ? "f2" : "f4"; // whatever is estimated
  for (const Stage &stage : stages().slice(2)) {
    mlir::PassManager manager(&context);
    addStage(manager, stage.name, pass);
    if (manager.empty())
      continue;
    said.clear();
    if (failed(manager.run(*module))) {
      whole(stage.name, "the pass fails: " + said);
      return false;
    }
    checkStage(stage.name);
  }
  return true;
}

/// Loads the driver by its path, so that the library's search for its name finds it, and leaves the
/// kernels where it looks for them. The process is the batch's own.
bool Batch::lendDriver(const llvm::StringMap<host::KernelEntry> &kernels) {
  llvm::SmallString<64> file = path("kernels.spec");
  std::error_code error;
  llvm::raw_fd_ostream os(file, error);
  for (const auto &[name, kernel] : kernels)
    os << "# " << name << "\n" << spec::print(kernel.spec) << "\n";
  setenv("KILN_FAKE_KERNELS", file.c_str(), /*overwrite=*/1);
  return !error && dlopen(options.driver.c_str(), RTLD_NOW | RTLD_LOCAL);
}

bool Batch::build() {
  said.clear();
  auto kernels = codegen::lowerKernels(*module);
  if (failed(kernels))
    return whole("lower", said), false;
  if (options.config.isDevice() && !lendDriver(*kernels))
    return whole("driver", "the driver of the tests cannot be loaded"), false;
  codegen::GenerateOptions generate;
  generate.targets = {target::find(options.config.target)};
  generate.optLevel = options.config.optLevel;
  generate.halide = options.config.halide ? options.halide : nullptr;
  std::string generators;
  auto code = codegen::generateKernels(*module, *kernels, generate, generators);
  if (!code)
    return whole("generate", toString(code.takeError())), false;
  auto program = host::fromModule(*module, *kernels, "conformance");
  if (failed(program))
    return whole("host", said), false;
  if (llvm::Error error = host::check(*program))
    return whole("host", toString(std::move(error))), false;
  WeightStore &store = context.getLoadedDialect<ir::KilnDialect>()->getWeights();
  auto weights = [&](size_t index,
                     llvm::function_ref<void(llvm::ArrayRef<uint8_t>)> sink) -> llvm::Error {
    const WeightView *view = store.find(program->weights[index].contentHash);
    if (!view)
      return llvm::createStringError("a weight has no value");
    sink(view->bytes);
    return llvm::Error::success();
  };
  link::LibraryInputs inputs;
  inputs.program = &*program;
  inputs.targets = std::move(*code);
  inputs.weights = weights;
  inputs.outputPath = path("model.so").str().str();
  if (llvm::Error error = link::buildLibrary(inputs))
    return whole("link", toString(std::move(error))), false;
  return true;
}

/// Calls on one and on two threads. Empty, or what is wrong.
std::string Batch::callBoth(const Running &running, Call &call, bool guardInFront,
                            llvm::ArrayRef<std::unique_ptr<Instance>> instances) {
  std::vector<ir::Tensor> results[] = {call.results, call.results};
  for (size_t i = 0; i < 2; ++i) {
    std::string text =
        instances[i]->call(call.entry, call.dims, call.arguments, results[i], guardInFront);
    if (!call.expected && text.empty())
      return "the library takes a call that the interpreter refuses";
    if (call.expected && !text.empty())
      return text;
  }
  for (size_t i = 0; call.expected && i < call.results.size(); ++i) {
    if (std::string text = difference(running, call, i, results[0][i]); !text.empty())
      return text;
    if (std::string text =
            conformance::difference(results[0][i], results[1][i], ir::FusionRole::Movement);
        !text.empty())
      return "two threads give other bits: " + text;
  }
  return "";
}

void Batch::callCase(Running &running, llvm::ArrayRef<std::unique_ptr<Instance>> instances) {
  for (auto [number, call] : llvm::enumerate(running.calls))
    if (std::string text = callBoth(running, call, number % 2, instances); !text.empty())
      return fail(running, "build", &call, text);
}

void Batch::callLibrary() {
  llvm::SmallString<64> file = path("model.so");
  void *handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return whole("load", dlerror());
  auto *model = static_cast<const kiln_model *>(dlsym(handle, "kiln_model_v1"));
  if (!model)
    return whole("load", "the library has no description");
  std::string why;
  std::unique_ptr<Instance> instances[2];
  for (int threads : {1, 2})
    if (instances[threads - 1] = Instance::create(*model, threads, why); !instances[threads - 1])
      return whole("create", why);
  for (Running &running : cases) {
    if (!running.done)
      callCase(running, instances);
    if (!running.done)
      give({Outcome::Passed, running.what->id, ir::toleranceOf(running.role).name});
  }
}

void Batch::run(llvm::ArrayRef<Case> all) {
  if (llvm::sys::fs::createUniqueDirectory("conformance", folder))
    return whole("files", "no temporary folder");
  context.loadDialect<ir::KilnDialect, mlir::func::FuncDialect>();
  context.getDiagEngine().registerHandler([this](mlir::Diagnostic &d) {
    if (d.getSeverity() == mlir::DiagnosticSeverity::Error)
      said += d.str() + "; ";
  });
  keepLegal(all);
  std::string text = "model C() {\n", why;
  for (const Running &running : cases)
    text += "  " + running.what->members + "\n";
  if (!cases.empty()) {
    module = import(text + "}\n", why);
    if (!module)
      whole("import", why);
    else if (llvm::Error error = bindWeights(*module, {{"random:1"}, "", true}))
      whole("weights", toString(std::move(error)));
    else {
      fillBytes(*module);
      imported = module->clone();
      for (Running &running : cases)
        prepare(running);
      if (!options.exportDir.empty())
        exportCalls();
      else if (runStages() && build())
        callLibrary();
    }
  }
  llvm::sys::fs::remove_directories(folder);
}

void conformance::runBatch(llvm::ArrayRef<Case> cases, const BatchOptions &options,
                           llvm::function_ref<void(const Outcome &)> give) {
  Batch(options, give).run(cases);
}
