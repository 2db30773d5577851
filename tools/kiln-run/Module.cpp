//===- Module.cpp - models under the interpreter --------------------------===//
#include "tools/kiln-run/Program.h"

#include "frontend/Import.h"
#include "frontend/weights/Bind.h"
#include "frontend/weights/StoreFile.h"
#include "ir/DataDimensions.h"
#include "ir/Interpreter.h"
#include "ir/KilnDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"

using namespace kiln;
using namespace kiln::run;
using namespace mlir;

/// The language's name of an argument or result, or the given one.
static std::string nameOf(DictionaryAttr attributes, const llvm::Twine &otherwise) {
  if (attributes)
    if (auto name = attributes.getAs<StringAttr>("kiln.name"))
      return name.str();
  return otherwise.str();
}

static TensorSpec specOf(std::string name, Type type) {
  SmallVector<DimExpr> dims = ir::dimsOf(type);
  return {std::move(name),
          *ir::dtypeOf(cast<RankedTensorType>(type).getElementType()),
          {dims.begin(), dims.end()}};
}

static Entry entryOf(func::FuncOp function) {
  Entry entry;
  entry.name = function.getName().str();
  ir::BoundDimensions bound = ir::boundDimensions(function);
  for (auto &[name, bounds] : ir::declaredBounds(function))
    if (!bound.count(name))
      entry.dimensions.push_back({name, bounds.lower.value_or(0), bounds.upper, std::nullopt});
  SmallVector<ir::DataDimension> data = ir::dataDimensions(function);
  for (const ir::DataDimension &dimension : data)
    entry.dimensions.push_back({dimension.name, 0, std::nullopt, dimension.value.most(bound)});
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
    entry.arguments.push_back(
        specOf(nameOf(function.getArgAttrDict(i), "arg" + llvm::Twine(i)), type));
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    entry.results.push_back(specOf(nameOf(function.getResultAttrDict(i),
                                          i ? "result" + llvm::Twine(i) : llvm::Twine(entry.name)),
                                   type));
    for (DimExpr &extent : entry.results.back().shape)
      extent = ir::inDataDimensions(extent, data);
  }
  return entry;
}

namespace {
class Module : public Program {
public:
  Module() : handler(sources, &context) {
    DialectRegistry registry;
    registry.insert<ir::KilnDialect, func::FuncDialect>();
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    context.printOpOnDiagnostic(false);
  }

  llvm::Error readModel(llvm::StringRef path, const ModuleOptions &options);
  llvm::Error readText(llvm::StringRef path);
  llvm::Error bind(const ModuleOptions &options);
  llvm::Error readEntries(llvm::StringRef path);

  void describe(llvm::raw_ostream &os) const override { os << "a module for the interpreter\n"; }
  llvm::Error prepare(unsigned entry, const Dims &) override {
    current = functions[entry];
    return llvm::Error::success();
  }
  llvm::Error call(llvm::ArrayRef<run::Value> arguments,
                   llvm::MutableArrayRef<run::Value> results) override;

private:
  MLIRContext context;
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler handler;
  OwningOpRef<ModuleOp> module;
  std::vector<func::FuncOp> functions;
  func::FuncOp current;
};
} // namespace

/// The standard modules stand at a fixed place from the program, so that a prefix can be moved.
static std::string standardModules() {
  static const char anchor = 0;
  std::string self = llvm::sys::fs::getMainExecutable(nullptr, const_cast<char *>(&anchor));
  llvm::SmallString<256> folder(llvm::sys::path::parent_path(llvm::sys::path::parent_path(self)));
  llvm::sys::path::append(folder, "share", "kiln", "std");
  return folder.str().str();
}

llvm::Error Module::readModel(llvm::StringRef path, const ModuleOptions &options) {
  if (!llvm::sys::fs::exists(path))
    return failure("there is no file '" + path + "'");
  llvm::SourceMgr modelSources;
  Diagnostics diagnostics(modelSources);
  module =
      importModel(context, diagnostics, path, {options.modelName, options.sets, standardModules()});
  diagnostics.print(llvm::errs());
  if (!module)
    return failure("cannot read '" + path + "'");
  return llvm::Error::success();
}

/// Gives weights to a model, and to IR that came without.
llvm::Error Module::bind(const ModuleOptions &options) {
  if (options.weights.empty())
    return llvm::Error::success();
  return bindWeights(
      *module, {options.weights, options.weightsPrefix, /*allowUnused=*/false, options.renames});
}

llvm::Error Module::readText(llvm::StringRef path) {
  if (!llvm::sys::fs::exists(path))
    return failure("there is no file '" + path + "'");
  module = parseSourceFile<ModuleOp>(path, sources, &context);
  if (!module)
    return failure("cannot read '" + path + "'");
  llvm::SmallString<256> weights(path);
  llvm::sys::path::replace_extension(weights, "kwts");
  if (!llvm::sys::fs::exists(weights))
    return llvm::Error::success();
  return readStore(weights, context.getLoadedDialect<ir::KilnDialect>()->getWeights());
}

llvm::Error Module::readEntries(llvm::StringRef path) {
  for (auto function : module->getOps<func::FuncOp>()) {
    if (!function.isPublic() || function.isExternal())
      continue;
    auto isForeign = [](Type type) { return !isa<RankedTensorType>(type) || !ir::dtypeOf(type); };
    if (llvm::any_of(function.getArgumentTypes(), isForeign) ||
        llvm::any_of(function.getResultTypes(), isForeign))
      return failure("'" + path + "': '" + function.getName() +
                     "' takes or gives something other than kiln's tensors");
    functions.push_back(function);
    entryList.push_back(entryOf(function));
  }
  if (functions.empty())
    return failure("'" + path + "' has no public function");
  return llvm::Error::success();
}

llvm::Error Module::call(llvm::ArrayRef<run::Value> arguments,
                         llvm::MutableArrayRef<run::Value> results) {
  SmallVector<ir::Tensor> tensors;
  for (const run::Value &value : arguments)
    tensors.push_back(ir::Tensor::fromBytes(value.type, value.shape, value.bytes.data()));
  FailureOr<SmallVector<ir::Tensor>> computed =
      ir::interpret(cast<FunctionOpInterface>(current.getOperation()), tensors);
  if (failed(computed))
    return failure("the interpreter stopped in '" + current.getName() + "'");
  for (auto [tensor, value] : llvm::zip(*computed, results)) {
    value = makeValue(tensor.type, tensor.shape);
    tensor.toBytes(value.bytes.data());
  }
  return llvm::Error::success();
}

llvm::Expected<std::unique_ptr<Program>> run::openModule(llvm::StringRef path,
                                                         const ModuleOptions &options) {
  auto module = std::make_unique<Module>();
  bool isModel = path.ends_with(".kiln");
  if (llvm::Error error = isModel ? module->readModel(path, options) : module->readText(path))
    return error;
  if (llvm::Error error = module->bind(options))
    return error;
  if (llvm::Error error = module->readEntries(path))
    return error;
  return module;
}
