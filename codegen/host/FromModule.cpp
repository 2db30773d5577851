//===- FromModule.cpp - planned IR to a Program ---------------------------===//

#include "codegen/host/FromModule.h"
#include "codegen/host/Reserved.h"

#include "ir/KilnOps.h"
#include "ir/Place.h"
#include "ir/Requirements.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

using namespace kiln;
using namespace kiln::host;
using namespace kiln::ir;
using namespace mlir;

std::string host::snakeCase(StringRef name) {
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    bool upper = llvm::isUpper(name[i]);
    bool afterLower = i > 0 && !llvm::isUpper(name[i - 1]) && name[i - 1] != '_';
    bool beforeLower =
        i > 0 && i + 1 < name.size() && llvm::isLower(name[i + 1]) && llvm::isUpper(name[i - 1]);
    if (upper && (afterLower || beforeLower))
      out += '_';
    out += llvm::toLower(name[i]);
  }
  return out;
}

/// "model.kiln:12" of the user's place; empty without one.
static std::string locationText(Location loc) {
  FileLineColLoc place = placeOf(loc);
  return place ? (llvm::sys::path::filename(place.getFilename().getValue()) + ":" +
                  Twine(place.getLine()))
                     .str()
               : "";
}

static DimExpr bytesOf(Type type) {
  return numElements(dimsOf(type)) * DimExpr(byteSize(*dtypeOf(type)));
}

namespace {
/// Translates one function.
class Translator {
public:
  Translator(const llvm::StringMap<KernelEntry> &kernels,
             llvm::MapVector<StringRef, unsigned> &weights)
      : kernels(kernels), weights(weights) {}

  FailureOr<EntryPoint> translate(func::FuncOp function);

private:
  void signature(func::FuncOp function);
  void launch(LaunchOp op);
  void look(AssertOp op);
  void copies(Operation *terminator);
  void reserveScratch(const DimExpr &bytes);

  const llvm::StringMap<KernelEntry> &kernels;
  llvm::MapVector<StringRef, unsigned> &weights;
  EntryPoint entry;
  DimExpr scratchBytes;
  llvm::DenseMap<Value, BufferRef> places;
  DimExpr arena; ///< bytes of planned values; scratch lies behind
};
} // namespace

/// Name of an argument or result: the language's, else the given default.
static std::string nameOf(DictionaryAttr attrs, StringRef otherwise) {
  if (attrs)
    if (auto name = attrs.getAs<StringAttr>("kiln.name"))
      return name.str();
  return otherwise.str();
}

void Translator::signature(func::FuncOp function) {
  entry.name = function.getName().str();
  for (auto &[name, bounds] : declaredBounds(function))
    entry.dimensions.push_back({name, bounds.lower.value_or(0), bounds.upper});
  if (auto order = function->getAttrOfType<ArrayAttr>("kiln.dim_order")) {
    auto rank = [&](const Dimension &dimension) {
      return llvm::find_if(order,
                           [&](Attribute name) {
                             return cast<StringAttr>(name).getValue() == dimension.name;
                           }) -
             order.begin();
    };
    llvm::stable_sort(entry.dimensions,
                      [&](const Dimension &a, const Dimension &b) { return rank(a) < rank(b); });
  }
  auto info = [](std::string name, Type type) {
    SmallVector<DimExpr> dims = dimsOf(type);
    return TensorInfo{std::move(name), *dtypeOf(type), {dims.begin(), dims.end()}};
  };
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    entry.arguments.push_back(
        info(nameOf(function.getArgAttrDict(i), ("arg" + Twine(i)).str()), type));
    places[function.getArgument(i)] = {BufferRef::Kind::Argument, static_cast<unsigned>(i), 0};
  }
  for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
    entry.results.push_back(info(
        nameOf(function.getResultAttrDict(i), i ? ("result" + Twine(i)).str() : entry.name), type));
  for (RequirementAttr attr : declaredRequirements(function)) {
    Requirement check = attr.getRequirement();
    if (std::string place = locationText(attr.getLoc()); !place.empty())
      check.subject += " (" + place + ")";
    entry.checks.push_back(std::move(check));
  }
}

/// Scratch is used within one launch only: the largest need counts; needs that cannot be compared
/// add up.
void Translator::reserveScratch(const DimExpr &bytes) {
  std::optional<int64_t> more = (bytes - scratchBytes).bounds({}).lower,
                         less = (scratchBytes - bytes).bounds({}).lower;
  if (more && *more >= 0)
    scratchBytes = bytes;
  else if (!less || *less < 0)
    scratchBytes = scratchBytes + bytes;
}

void Translator::launch(LaunchOp op) {
  const KernelEntry &kernel = kernels.find(op.getKernel())->second;
  Launch launch;
  launch.kernel = kernel.symbol;
  launch.label = op.getKernel().str();
  launch.location = locationText(op.getLoc());
  for (Value v : op.getOperands()) {
    launch.buffers.push_back(places.lookup(v));
    launch.bytes = launch.bytes + bytesOf(v.getType());
  }
  SmallVector<DimExpr> offsets = op.getOffsetsAttr().getDims();
  for (auto [i, v] : llvm::enumerate(op.getResults())) {
    std::optional<int64_t> place = offsets[i].constantValue();
    BufferRef ref{BufferRef::Kind::Arena, 0, offsets[i]};
    if (place && *place < 0)
      ref = {BufferRef::Kind::Result, static_cast<unsigned>(-1 - *place), 0};
    places[v] = ref;
    launch.buffers.push_back(ref);
    launch.bytes = launch.bytes + bytesOf(v.getType());
  }
  DimExpr used(0);
  for (const spec::Operand &operand : kernel.spec.operands)
    if (operand.use == spec::Operand::Use::Scratch) {
      launch.buffers.push_back({BufferRef::Kind::Arena, 0, arena + used});
      DimExpr bytes = numElements(operand.shape) * DimExpr(byteSize(operand.type));
      used = used + DimExpr::floorDiv(bytes + DimExpr(63), DimExpr(64)) * DimExpr(64);
    }
  reserveScratch(used);
  for (const spec::Symbol &symbol : kernel.spec.symbols)
    launch.dims.push_back(DimExpr::symbol(symbol.name));
  auto body = op->getParentOfType<ModuleOp>().lookupSymbol<KernelOp>(op.getKernel());
  body.walk([&](Costed costed) { launch.flops = launch.flops + costed.getFlops(); });
  entry.launches.push_back(std::move(launch));
}

void Translator::look(AssertOp op) {
  Launch look;
  look.kind = Launch::Kind::Assert;
  look.buffers = {places.lookup(op.getCondition())};
  look.label = op.getSubject().str();
  look.location = locationText(op.getLoc());
  look.bytes = DimExpr(1);
  entry.launches.push_back(std::move(look));
}

void Translator::copies(Operation *terminator) {
  for (auto [r, value] : llvm::enumerate(terminator->getOperands())) {
    BufferRef from = places.lookup(value);
    if (from.kind == BufferRef::Kind::Result && from.index == r)
      continue;
    Launch copy;
    copy.kind = Launch::Kind::Copy;
    copy.buffers = {from, {BufferRef::Kind::Result, static_cast<unsigned>(r), 0}};
    copy.dims = {bytesOf(value.getType())};
    copy.label = "copy";
    copy.location = locationText(terminator->getLoc());
    copy.bytes = copy.dims[0] * DimExpr(2);
    entry.launches.push_back(std::move(copy));
  }
}

FailureOr<EntryPoint> Translator::translate(func::FuncOp function) {
  signature(function);
  if (auto size = function->getAttrOfType<DimsAttr>("kiln.arena"))
    arena = size.getDims()[0];
  for (Operation &op : function.front()) {
    if (auto get = dyn_cast<GetOp>(op))
      places[get] = {BufferRef::Kind::Weight, weights.find(get.getWeight())->second, 0};
    else if (auto view = dyn_cast<ReshapeOp>(op))
      places[view] = places.lookup(view.getX());
    else if (auto call = dyn_cast<LaunchOp>(op))
      launch(call);
    else if (auto condition = dyn_cast<AssertOp>(op))
      look(condition);
    else if (!op.hasTrait<OpTrait::IsTerminator>())
      return op.emitError("internal: stands outside of kernels after planning"), failure();
  }
  copies(function.front().getTerminator());
  entry.arenaBytes = arena + scratchBytes;
  return std::move(entry);
}

LogicalResult host::checkNames(ModuleOp module) {
  auto model = module->getAttrOfType<StringAttr>("kiln.model");
  std::string name = snakeCase(model ? model.getValue() : "model");
  if (isReservedType(name))
    return module.emitError("the C type of the model would be called '")
           << name << "', which C or C++ has taken; give the model another name";
  llvm::StringMap<Location> names;
  for (StringRef common :
       {"create", "destroy", "reset", "cancel", "last_error", "state_get", "state_set", "options"})
    names.try_emplace(common, module.getLoc());
  for (auto function : module.getOps<func::FuncOp>()) {
    StringRef entry = function.getName();
    if (isReservedType((name + "_" + entry).str()))
      return function.emitError("the C function of the entry point would be called '")
             << name << "_" << entry << "', which C or C++ has taken; give it another name";
    auto [place, isNew] = names.try_emplace(entry, function.getLoc());
    if (!isNew || entry.starts_with("kiln_"))
      return function.emitError("an entry point cannot be called '")
             << entry << "': every model has a function '" << name << "_" << entry << "'";
  }
  return success();
}

FailureOr<Program> host::fromModule(ModuleOp module, const llvm::StringMap<KernelEntry> &kernels,
                                    StringRef version) {
  Program program;
  auto model = module->getAttrOfType<StringAttr>("kiln.model");
  program.modelName = snakeCase(model ? model.getValue() : "model");
  program.version = version.str();
  WeightStore &store = module.getContext()->getLoadedDialect<KilnDialect>()->getWeights();
  llvm::MapVector<StringRef, unsigned> weights;
  for (auto weight : module.getOps<WeightOp>()) {
    weights[weight.getSymName()] = program.weights.size();
    const WeightView *view = store.find(weight.getHash().value_or(""));
    program.weights.push_back({weight.getSymName().str(), weight.getHash().value_or("").str(),
                               view ? static_cast<int64_t>(view->bytes.size()) : 0});
  }
  for (auto function : module.getOps<func::FuncOp>()) {
    FailureOr<EntryPoint> entry = Translator(kernels, weights).translate(function);
    if (failed(entry))
      return failure();
    program.entries.push_back(std::move(*entry));
  }
  return program;
}
