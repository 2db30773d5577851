//===- FromModule.cpp - planned IR to a Program ---------------------------===//

#include "codegen/host/FromModule.h"
#include "codegen/host/Reserved.h"

#include "ir/DataDimensions.h"
#include "ir/KilnOps.h"
#include "ir/Place.h"
#include "ir/Requirements.h"
#include "runtime/Abi.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"
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

/// The symbols of a module by their places in a Program.
using Places = llvm::MapVector<StringRef, unsigned>;

namespace {
/// Translates one function.
class Translator {
public:
  Translator(const llvm::StringMap<KernelEntry> &kernels, Places &weights, Places &states)
      : kernels(kernels), weights(weights), states(states) {}

  FailureOr<EntryPoint> translate(func::FuncOp function);

private:
  void signature(func::FuncOp function);
  LogicalResult steps(Block &block, std::vector<Launch> &into);
  void launch(LaunchOp op, std::vector<Launch> &into);
  void look(AssertOp op, std::vector<Launch> &into);
  void bind(BindOp op, std::vector<Launch> &into);
  void dimensions(func::FuncOp function);
  DimExpr mostOf(const DimExpr &expr) const { return expr.most(entry.bound); }
  void copy(Value from, const BufferRef &to, Location loc, std::vector<Launch> &into);
  void copy(const BufferRef &from, const BufferRef &to, Type type, Location loc,
            std::vector<Launch> &into);
  void results(Operation *terminator);
  void setStates(Block &block);
  void reserveScratch(const DimExpr &bytes);
  BufferRef carriedAt(const DimExpr &offset, Value initial) const;
  // Loops and branches
  LogicalResult scan(ScanOp op, std::vector<Launch> &into);
  LogicalResult loop(WhileOp op, std::vector<Launch> &into);
  LogicalResult branch(IfOp op, std::vector<Launch> &into);
  void nextRound(ValueRange carried, ValueRange next, ArrayRef<DimExpr> waiting, Location loc,
                 std::vector<Launch> &into);

  const llvm::StringMap<KernelEntry> &kernels;
  Places &weights, &states;
  EntryPoint entry;
  DimExpr scratchBytes;
  llvm::DenseMap<Value, BufferRef> places;
  DimExpr arena; ///< bytes of planned values; scratch lies behind
  unsigned numLoops = 0;
  std::set<std::string> known;                    ///< symbols with a value at the step in hand
  SmallVector<std::pair<Requirement, bool>> late; ///< and whether a step checks it already
};
} // namespace

static bool isSame(const BufferRef &a, const BufferRef &b) {
  return a.kind == b.kind && a.index == b.index && a.offset == b.offset;
}

/// Where an offset of `plan` says: in the arena, or a result of the function.
static BufferRef placeAt(const DimExpr &offset) {
  std::optional<int64_t> place = offset.constantValue();
  if (place && *place < 0)
    return {BufferRef::Kind::Result, static_cast<unsigned>(-1 - *place), 0};
  return {BufferRef::Kind::Arena, 0, offset};
}

/// Name of an argument or result: the language's, else the given default.
static std::string nameOf(DictionaryAttr attrs, StringRef otherwise) {
  if (attrs)
    if (auto name = attrs.getAs<StringAttr>("kiln.name"))
      return name.str();
  return otherwise.str();
}

void Translator::dimensions(func::FuncOp function) {
  entry.bound = boundDimensions(function);
  for (auto &[name, bounds] : declaredBounds(function))
    if (!entry.bound.count(name)) {
      entry.dimensions.push_back({name, bounds.lower.value_or(0), bounds.upper});
      known.insert(name);
    }
  for (const DataDimension &data : dataDimensions(function)) {
    entry.dimensions.push_back({data.name, 0, std::nullopt, /*isData=*/true});
    entry.dimensions.back().most = mostOf(data.value);
    entry.dimensions.back().value = data.value;
  }
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
}

void Translator::signature(func::FuncOp function) {
  entry.name = function.getName().str();
  dimensions(function);
  auto info = [](std::string name, Type type) {
    SmallVector<DimExpr> dims = dimsOf(type);
    return TensorInfo{std::move(name), *dtypeOf(type), {dims.begin(), dims.end()}};
  };
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    entry.arguments.push_back(
        info(nameOf(function.getArgAttrDict(i), ("arg" + Twine(i)).str()), type));
    places[function.getArgument(i)] = {BufferRef::Kind::Argument, static_cast<unsigned>(i), 0};
  }
  SmallVector<DataDimension> data = dataDimensions(function);
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    entry.results.push_back(info(
        nameOf(function.getResultAttrDict(i), i ? ("result" + Twine(i)).str() : entry.name), type));
    for (DimExpr &extent : entry.results.back().shape)
      extent = inDataDimensions(extent, data);
  }
  for (RequirementAttr attr : declaredRequirements(function)) {
    Requirement check = attr.getRequirement();
    if (std::string place = locationText(attr.getLoc()); !place.empty())
      check.subject += " (" + place + ")";
    if (check.mentions(entry.bound))
      late.emplace_back(std::move(check), false);
    else
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

void Translator::launch(LaunchOp op, std::vector<Launch> &into) {
  const KernelEntry &kernel = kernels.find(op.getKernel())->second;
  Launch launch;
  launch.kernel = kernel.symbol;
  launch.label = op.getKernel().str();
  launch.location = locationText(op.getLoc());
  for (Value v : op.getOperands()) {
    launch.buffers.push_back(places.lookup(v));
    launch.bytes = launch.bytes + mostOf(bytesOf(v.getType()));
  }
  SmallVector<DimExpr> offsets = op.getOffsetsAttr().getDims();
  for (auto [i, v] : llvm::enumerate(op.getResults())) {
    BufferRef ref = placeAt(offsets[i]);
    auto body = op->getParentOfType<ModuleOp>().lookupSymbol<KernelOp>(op.getKernel());
    if (op.getInPlace())
      ref = places.lookup(op.getOperands()[*body.getOverwritten()]);
    places[v] = ref;
    launch.buffers.push_back(ref);
    launch.bytes = launch.bytes + mostOf(bytesOf(v.getType()));
  }
  DimExpr used(0);
  for (const spec::Operand &operand : kernel.spec.operands)
    if (operand.use == spec::Operand::Use::Scratch) {
      launch.buffers.push_back({BufferRef::Kind::Arena, 0, arena + used});
      DimExpr bytes = numElements(operand.shape) * DimExpr(byteSize(operand.type));
      used = used + DimExpr::floorDiv(bytes + DimExpr(63), DimExpr(64)) * DimExpr(64);
    }
  DimExpr scratch = mostOf(used);
  // Where a branch is not taken, its extents may be less than 0.
  if (std::optional<int64_t> least = scratch.bounds({}).lower;
      !isa<func::FuncOp>(op->getParentOp()) && (!least || *least < 0))
    scratch = DimExpr::max(scratch, 0);
  reserveScratch(scratch);
  for (const spec::Symbol &symbol : kernel.spec.symbols)
    launch.dims.push_back(DimExpr::symbol(symbol.name));
  auto body = op->getParentOfType<ModuleOp>().lookupSymbol<KernelOp>(op.getKernel());
  body.walk([&](Costed costed) { launch.flops = launch.flops + mostOf(costed.getFlops()); });
  into.push_back(std::move(launch));
}

void Translator::look(AssertOp op, std::vector<Launch> &into) {
  Launch look;
  look.kind = Launch::Kind::Assert;
  look.buffers = {places.lookup(op.getCondition())};
  look.label = op.getSubject().str();
  look.location = locationText(op.getLoc());
  look.bytes = DimExpr(1);
  into.push_back(std::move(look));
}

/// Whether all names in the expression have a value.
static bool isKnown(const DimExpr &expr, const std::set<std::string> &known) {
  std::set<std::string> names;
  expr.collectSymbols(names);
  return llvm::all_of(names, [&](const std::string &name) { return known.count(name); });
}

/// The checks that become possible with the symbol follow it, those of capacities first.
void Translator::bind(BindOp op, std::vector<Launch> &into) {
  Launch step;
  step.kind = Launch::Kind::Bind;
  step.buffers = {places.lookup(op.getCount())};
  step.label = op.getSubject().str();
  step.location = locationText(op.getLoc());
  step.bytes = DimExpr(8);
  step.symbol = op.getSymbol().str();
  DimExpr value = DimExpr::symbol(step.symbol);
  std::string subject = step.label + (step.location.empty() ? "" : " (" + step.location + ")");
  auto add = [&](Requirement requirement, int32_t status) {
    step.checks.push_back(entry.lateChecks.size());
    entry.lateChecks.push_back({std::move(requirement), status});
  };
  add({value, Relation::AtLeast, 0, subject}, KILN_INDEX_OUT_OF_RANGE);
  add({value, Relation::AtMost, op.getMost().getDims()[0], subject}, KILN_INDEX_OUT_OF_RANGE);
  bool isOutermost = isa<func::FuncOp>(op->getParentOp());
  auto becomesKnown = [&](const DimExpr &expr) {
    bool before = isKnown(expr, known);
    std::set<std::string> after = known;
    after.insert(step.symbol);
    return !before && isKnown(expr, after);
  };
  for (auto [i, dimension] : llvm::enumerate(entry.dimensions))
    if (isOutermost && dimension.isData && becomesKnown(dimension.value)) {
      step.announced.push_back(i);
      add({dimension.value, Relation::AtMost, DimExpr::symbol(dimension.name), dimension.name},
          KILN_BUFFER_TOO_SMALL);
    }
  known.insert(step.symbol);
  for (auto &[requirement, isDone] : late)
    if (!isDone && isKnown(requirement.got, known) && isKnown(requirement.expected, known) &&
        llvm::all_of(requirement.when, [&](const DimExpr &e) { return isKnown(e, known); })) {
      add(requirement, KILN_INVALID_ARGUMENT);
      isDone = true;
    }
  into.push_back(std::move(step));
}

void Translator::copy(const BufferRef &from, const BufferRef &to, Type type, Location loc,
                      std::vector<Launch> &into) {
  if (isSame(from, to))
    return;
  Launch copy;
  copy.kind = Launch::Kind::Copy;
  copy.buffers = {from, to};
  copy.dims = {bytesOf(type)};
  copy.label = "copy";
  copy.location = locationText(loc);
  copy.bytes = mostOf(copy.dims[0] * DimExpr(2));
  into.push_back(std::move(copy));
}

void Translator::copy(Value from, const BufferRef &to, Location loc, std::vector<Launch> &into) {
  copy(places.lookup(from), to, from.getType(), loc, into);
}

void Translator::results(Operation *terminator) {
  for (auto [r, value] : llvm::enumerate(terminator->getOperands()))
    copy(value, {BufferRef::Kind::Result, static_cast<unsigned>(r), 0}, terminator->getLoc(),
         entry.launches);
}

/// States take their new values behind everything else, those that are old values of others last:
/// these wait at places of their own.
void Translator::setStates(Block &block) {
  for (bool isWaiting : {true, false})
    for (auto set : block.getOps<SetStateOp>()) {
      BufferRef state{BufferRef::Kind::State, states.find(set.getState())->second, 0};
      auto wait = set->getAttrOfType<DimsAttr>("kiln.wait");
      if (isWaiting && wait)
        copy(set.getValue(), placeAt(wait.getDims()[0]), set.getLoc(), entry.launches);
      if (!isWaiting && !wait)
        copy(set.getValue(), state, set.getLoc(), entry.launches);
    }
  for (auto set : block.getOps<SetStateOp>())
    if (auto wait = set->getAttrOfType<DimsAttr>("kiln.wait"))
      copy(placeAt(wait.getDims()[0]),
           {BufferRef::Kind::State, states.find(set.getState())->second, 0},
           set.getValue().getType(), set.getLoc(), entry.launches);
}

LogicalResult Translator::steps(Block &block, std::vector<Launch> &into) {
  for (Operation &op : block) {
    if (auto get = dyn_cast<GetOp>(op))
      places[get] = {BufferRef::Kind::Weight, weights.find(get.getWeight())->second, 0};
    else if (auto read = dyn_cast<GetStateOp>(op))
      places[read] = {BufferRef::Kind::State, states.find(read.getState())->second, 0};
    else if (auto view = dyn_cast<ReshapeOp>(op))
      places[view] = places.lookup(view.getX());
    else if (auto call = dyn_cast<LaunchOp>(op))
      launch(call, into);
    else if (auto condition = dyn_cast<AssertOp>(op))
      look(condition, into);
    else if (auto bound = dyn_cast<BindOp>(op))
      bind(bound, into);
    else if (isa<ScanOp, WhileOp, IfOp>(op)) {
      LogicalResult done = llvm::TypeSwitch<Operation *, LogicalResult>(&op)
                               .Case([&](ScanOp o) { return scan(o, into); })
                               .Case([&](WhileOp o) { return loop(o, into); })
                               .Case([&](IfOp o) { return branch(o, into); });
      if (failed(done))
        return failure();
    } else if (!op.hasTrait<OpTrait::IsTerminator>() && !isa<SetStateOp>(op))
      return op.emitError("internal: stands outside of kernels after planning");
  }
  // What is bound in a loop or branch has no value behind it.
  for (auto bound : block.getOps<BindOp>())
    known.erase(bound.getSymbol().str());
  return success();
}

//===----------------------------------------------------------------------===//
// Loops and branches
//===----------------------------------------------------------------------===//

/// Copies what a round yields to where the next one reads it.
void Translator::nextRound(ValueRange carried, ValueRange next, ArrayRef<DimExpr> waiting,
                           Location loc, std::vector<Launch> &into) {
  SmallVector<std::optional<BufferRef>> held(carried.size());
  for (unsigned i = 0; i < carried.size(); ++i)
    if (waits(carried, next[i], i)) {
      held[i] = placeAt(waiting.front());
      waiting = waiting.drop_front();
      copy(next[i], *held[i], loc, into);
    }
  for (bool second : {false, true})
    for (unsigned i = 0; i < carried.size(); ++i)
      if (second == held[i].has_value())
        copy(held[i].value_or(places.lookup(next[i])), places.lookup(carried[i]), next[i].getType(),
             loc, into);
}

/// Where a carried value lies: a state stays in its place.
BufferRef Translator::carriedAt(const DimExpr &offset, Value initial) const {
  return offset == DimExpr(placeOfInitial) ? places.lookup(initial) : placeAt(offset);
}

LogicalResult Translator::scan(ScanOp op, std::vector<Launch> &into) {
  SmallVector<DimExpr> offsets = op.getOffsetsAttr().getDims();
  SmallVector<Value> carried(op.getCarried());
  Launch loop;
  loop.kind = Launch::Kind::Loop;
  loop.label = "scan";
  loop.location = locationText(op.getLoc());
  loop.dims = {op.getRounds()};
  loop.symbol = "round " + std::to_string(numLoops++);
  DimExpr round = DimExpr::symbol(loop.symbol);
  DimExpr at = op.getReverse() ? op.getRounds() - DimExpr(1) - round : round;
  auto slice = [&](BufferRef whole, Type type) {
    whole.offset = whole.offset + at * bytesOf(type);
    return whole;
  };
  for (auto [element, sequence] : llvm::zip(op.getElements(), op.getSequences()))
    places[element] = slice(places.lookup(sequence), element.getType());
  for (auto [i, argument] : llvm::enumerate(carried)) {
    BufferRef place = carriedAt(offsets[i], op.getInitial()[i]);
    places[argument] = place;
    places[op.getFinals()[i]] = place;
    copy(op.getInitial()[i], place, op.getLoc(), into);
  }
  for (auto [i, stack] : llvm::enumerate(op.getStacks()))
    places[stack] = placeAt(offsets[carried.size() + i]);
  if (failed(steps(op.getBody().front(), loop.body)))
    return failure();
  for (auto [stack, value] : llvm::zip(op.getStacks(), op.getYielded()))
    copy(value, slice(places.lookup(stack), value.getType()), op.getLoc(), loop.body);
  nextRound(carried, op.getNext(), ArrayRef(offsets).drop_front(op.getNumResults()), op.getLoc(),
            loop.body);
  into.push_back(std::move(loop));
  return success();
}

LogicalResult Translator::loop(WhileOp op, std::vector<Launch> &into) {
  SmallVector<DimExpr> offsets = op.getOffsetsAttr().getDims();
  SmallVector<Value> carried(op.getCarried());
  Launch loop;
  loop.kind = Launch::Kind::While;
  loop.label = "while";
  loop.location = locationText(op.getLoc());
  for (auto [i, argument] : llvm::enumerate(carried)) {
    BufferRef place = carriedAt(offsets[i], op.getInitial()[i]);
    places[argument] = place;
    places[op.getResult(i)] = place;
    places[op.getCondition().getArgument(i)] = place;
    copy(op.getInitial()[i], place, op.getLoc(), into);
  }
  if (failed(steps(op.getCondition().front(), loop.condition)) ||
      failed(steps(op.getBody().front(), loop.body)))
    return failure();
  loop.buffers = {places.lookup(op.getDecision()), places.lookup(op.getLimit())};
  nextRound(carried, op.getNext(), ArrayRef(offsets).drop_front(op.getNumResults()), op.getLoc(),
            loop.body);
  into.push_back(std::move(loop));
  return success();
}

LogicalResult Translator::branch(IfOp op, std::vector<Launch> &into) {
  SmallVector<DimExpr> offsets = op.getOffsetsAttr().getDims();
  Launch step;
  step.kind = Launch::Kind::If;
  step.label = "if";
  step.location = locationText(op.getLoc());
  step.buffers = {places.lookup(op.getCondition())};
  for (auto [region, body] :
       {std::pair(&op.getThenBody(), &step.body), std::pair(&op.getElseBody(), &step.otherwise)}) {
    if (failed(steps(region->front(), *body)))
      return failure();
    for (auto [i, value] : llvm::enumerate(region->front().getTerminator()->getOperands()))
      copy(value, placeAt(offsets[i]), op.getLoc(), *body);
  }
  for (auto [i, result] : llvm::enumerate(op.getResults()))
    places[result] = placeAt(offsets[i]);
  into.push_back(std::move(step));
  return success();
}

FailureOr<EntryPoint> Translator::translate(func::FuncOp function) {
  signature(function);
  if (auto size = function->getAttrOfType<DimsAttr>("kiln.arena"))
    arena = size.getDims()[0];
  if (failed(steps(function.front(), entry.launches)))
    return failure();
  // Results first: they may be old values of states.
  results(function.front().getTerminator());
  setStates(function.front());
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
  for (StringRef common : {"create", "destroy", "reset", "cancel", "last_error", "state_get",
                           "state_set", "wait", "options"})
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
    names.try_emplace((entry + "_enqueue").str(), function.getLoc());
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
  Places weights, states;
  auto addWeight = [&](StringRef name, StringRef hash) {
    const WeightView *view = store.find(hash);
    program.weights.push_back(
        {name.str(), hash.str(), view ? static_cast<int64_t>(view->bytes.size()) : 0});
    return static_cast<unsigned>(program.weights.size() - 1);
  };
  for (auto weight : module.getOps<WeightOp>())
    weights[weight.getSymName()] = addWeight(weight.getSymName(), weight.getHash().value_or(""));
  for (auto state : module.getOps<StateOp>()) {
    states[state.getSymName()] = program.states.size();
    program.states.push_back(
        {state.getSymName().str(), *bytesOf(state.getType()).constantValue(), std::nullopt});
    if (state.getHash())
      program.states.back().initialWeight = addWeight(state.getSymName(), *state.getHash());
  }
  for (auto function : module.getOps<func::FuncOp>()) {
    FailureOr<EntryPoint> entry = Translator(kernels, weights, states).translate(function);
    if (failed(entry))
      return failure();
    program.entries.push_back(std::move(*entry));
  }
  return program;
}
