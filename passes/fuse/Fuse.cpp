//===- Fuse.cpp - ops become kernels and launches ---------------------------===//
//
// Needs: functions of kiln ops, loops and branches; composite ops have been decomposed.
// Guarantees: their blocks hold kiln.get, states, kiln.reshape, kiln.launch, control ops and
// terminators only; each launch
// has one result, or all those of a procedure. A kernel is a symbol of the module, private, named
// by its place and ops; equal kernels are one. It declares the dimensions it names; arguments and
// results carry `kiln.align`, in bytes, where more than an element's size is known. Constants of
// different elements are weights. Reports: each op that joins a kernel, and why each kernel ends
// where it does.
//
//===----------------------------------------------------------------------===//

#include "passes/Build.h"
#include "passes/Passes.h"
#include "passes/fuse/Groups.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

namespace kiln::passes {
#define GEN_PASS_DEF_FUSE
#define GEN_PASS_DEF_OUTLINE
#include "passes/Passes.h.inc"
} // namespace kiln::passes

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

namespace {
/// Forms the kernels of a module.
class Former {
public:
  Former(ModuleOp module, Grouping::Kind kind) : module(module), symbols(module), kind(kind) {}
  void run(func::FuncOp function);

private:
  void storeConstants(func::FuncOp function);
  void formIn(Block &block, func::FuncOp function);
  void form(const Group &group, func::FuncOp function);
  KernelOp build(const Group &group, ArrayRef<Operation *> body, ArrayRef<Value> inputs,
                 func::FuncOp function);
  KernelOp shared(KernelOp kernel, const Group &group, func::FuncOp function);

  ModuleOp module;
  SymbolTable symbols;
  Grouping::Kind kind;
  llvm::StringMap<KernelOp> kernels; ///< by their text without a name
};
} // namespace

/// A constant whose elements differ has no expression: it is read like a weight.
void Former::storeConstants(func::FuncOp function) {
  WeightStore &store = module.getContext()->getLoadedDialect<KilnDialect>()->getWeights();
  SmallVector<ConstantOp> constants;
  function.walk([&](ConstantOp op) { constants.push_back(op); });
  for (ConstantOp op : constants) {
    auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
    if (elements && elements.isSplat())
      continue;
    SmallVector<int64_t> shape(op.getType().getShape());
    Tensor value(*dtypeOf(op.getType()), shape);
    if (failed(op.evaluate({}, value, Evaluation())))
      continue;
    std::vector<uint8_t> bytes(value.numElements() * byteSize(value.type));
    value.toBytes(bytes.data());
    std::string hash = store.addOwned(value.type, shape, std::move(bytes));
    OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
    std::string name = "constant." + hash.substr(0, 8);
    if (!symbols.lookup(name))
      symbols.insert(
          WeightOp::create(builder, op.getLoc(), name, op.getType(), builder.getStringAttr(hash)));
    builder.setInsertionPoint(op);
    op.replaceAllUsesWith(GetOp::create(builder, op.getLoc(), op.getType(), name).getResult());
    op.erase();
  }
}

/// Whether the value may begin at any multiple of its elements' size: it is (a view of) an argument
/// of a block, or of what ends one. Arguments and results of calls lie there if the caller's memory
/// holds them; a device has copies of its own. Those of a loop's body may be slices.
static bool mayLieAnywhere(Value value, bool isOnDevice) {
  while (auto view = value.getDefiningOp<ReshapeOp>())
    value = view.getX();
  if (auto argument = dyn_cast<BlockArgument>(value))
    return !isOnDevice || !isa<func::FuncOp>(argument.getOwner()->getParentOp());
  SmallVector<Value> aliases{value};
  while (!aliases.empty())
    for (Operation *user : aliases.pop_back_val().getUsers()) {
      if (user->hasTrait<OpTrait::IsTerminator>() && !(isOnDevice && isa<func::ReturnOp>(user)))
        return true;
      if (isa<ReshapeOp>(user))
        aliases.push_back(user->getResult(0));
    }
  return false;
}

static DictionaryAttr alignmentOf(Value value, bool isOnDevice) {
  Builder builder(value.getContext());
  if (mayLieAnywhere(value, isOnDevice))
    return builder.getDictionaryAttr({});
  return builder.getDictionaryAttr(
      builder.getNamedAttr("kiln.align", builder.getI64IntegerAttr(arenaAlignment)));
}

/// The dimensions that an op's types and attributes name.
static void collectNames(Operation *op, std::set<std::string> &names) {
  auto collect = [&](ArrayRef<DimExpr> dims) {
    for (const DimExpr &dim : dims)
      dim.collectSymbols(names);
  };
  for (Value value : op->getOperands())
    collect(dimsOf(value.getType()));
  for (Value value : op->getResults())
    collect(dimsOf(value.getType()));
  for (NamedAttribute attr : op->getAttrs())
    if (auto dims = dyn_cast<DimsAttr>(attr.getValue()))
      collect(dims.getDims());
}

KernelOp Former::build(const Group &group, ArrayRef<Operation *> ops, ArrayRef<Value> inputs,
                       func::FuncOp function) {
  OpBuilder builder(module.getContext());
  ResultRange results = group.results();
  Location loc = group.ops.back()->getLoc();
  auto type = builder.getFunctionType(ValueRange(inputs).getTypes(), results.getTypes());
  auto alignments = [&](auto values) {
    return builder.getArrayAttr(llvm::map_to_vector(values, [&](Value v) -> Attribute {
      return alignmentOf(v, kind == Grouping::Kind::Device);
    }));
  };
  KernelOp kernel = KernelOp::create(builder, loc, "k", type, alignments(inputs),
                                     alignments(results), builder.getStringAttr("private"));
  Block &body = kernel.getBody().emplaceBlock();
  IRMapping map;
  for (Value input : inputs)
    map.map(input, body.addArgument(input.getType(), input.getLoc()));
  builder.setInsertionPointToEnd(&body);
  std::set<std::string> names;
  for (Operation *op : ops) {
    Operation *copy = builder.clone(*op, map);
    if (roleOf(op) == FusionRole::Procedure)
      copy->setOperands(ValueRange(body.getArguments()));
    collectNames(op, names);
  }
  ReturnOp::create(builder, loc,
                   llvm::map_to_vector(results, [&](Value v) { return map.lookup(v); }));
  SmallVector<NamedAttribute> dims;
  if (auto declared = function->getAttrOfType<DictionaryAttr>("kiln.dims"))
    for (NamedAttribute entry : declared)
      if (names.count(entry.getName().str()))
        dims.push_back(entry);
  if (!dims.empty())
    kernel->setAttr("kiln.dims", builder.getDictionaryAttr(dims));
  return kernel;
}

/// The kernel of that text: the given one, newly named, or an earlier one.
KernelOp Former::shared(KernelOp kernel, const Group &group, func::FuncOp function) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  kernel->print(stream, OpPrintingFlags().useLocalScope());
  auto [it, isNew] = kernels.try_emplace(text, kernel);
  if (!isNew) {
    kernel.erase();
    return it->second;
  }
  std::string name = "k" + std::to_string(kernels.size() - 1);
  for (Operation *op : ArrayRef(group.ops).take_front(4))
    name += ("_" + op->getName().stripDialect()).str();
  kernel.setName(name);
  symbols.insert(kernel, Block::iterator(function));
  return kernel;
}

void Former::form(const Group &group, func::FuncOp function) {
  llvm::SetVector<Value> inputs;
  llvm::SetVector<Operation *> body; // with copies of what is free, each in front of its readers
  llvm::SmallPtrSet<Operation *, 8> inside(group.ops.begin(), group.ops.end());
  std::function<void(Operation *)> visit = [&](Operation *op) {
    for (Value operand : op->getOperands()) {
      Operation *producer = operand.getDefiningOp();
      if (producer && inside.contains(producer))
        continue;
      if (!producer || !isFree(producer) || roleOf(op) == FusionRole::Procedure) {
        inputs.insert(operand);
        continue;
      }
      visit(producer);
      body.insert(producer);
    }
  };
  for (Operation *op : group.ops) {
    visit(op);
    body.insert(op);
  }
  Operation *last = group.ops.back();
  // A procedure has an argument for each operand, though two may be one value.
  SmallVector<Value> arguments(inputs.getArrayRef());
  if (roleOf(last) == FusionRole::Procedure)
    arguments.assign(last->operand_begin(), last->operand_end());
  KernelOp kernel = shared(build(group, body.getArrayRef(), arguments, function), group, function);
  OpBuilder builder(last);
  auto launch = LaunchOp::create(builder, last->getLoc(), last->getResultTypes(), kernel.getName(),
                                 arguments, DimsAttr());
  // Broadcasts of the value stay: they are copied into the kernels that read it.
  last->replaceAllUsesWith(launch);
}

void Former::run(func::FuncOp function) {
  if (kind == Grouping::Kind::Device)
    prepareAttention(function);
  storeConstants(function);
  // Inner blocks first: they take copies of what is free around them.
  function->walk<WalkOrder::PostOrder>([&](Operation *op) {
    for (Region &region : op->getRegions())
      for (Block &block : region)
        formIn(block, function);
  });
}

void Former::formIn(Block &block, func::FuncOp function) {
  if (kind != Grouping::Kind::Outlined)
    recompute(block);
  Grouping grouping(block, kind);
  grouping.run();
  for (Group *group : grouping.sorted())
    form(*group, function);
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (roleOf(&op) != FusionRole::Opaque && roleOf(&op) != FusionRole::View)
      op.erase();
}

static void formKernels(ModuleOp module, Grouping::Kind kind) {
  Former former(module, kind);
  for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    former.run(function);
}

namespace {
struct Fuse : passes::impl::FuseBase<Fuse> {
  using FuseBase::FuseBase;
  void runOnOperation() override {
    formKernels(getOperation(), forDevices ? Grouping::Kind::Device : Grouping::Kind::Fused);
  }
};

struct Outline : passes::impl::OutlineBase<Outline> {
  void runOnOperation() override { formKernels(getOperation(), Grouping::Kind::Outlined); }
};
} // namespace
