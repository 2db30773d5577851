//===- Fuse.cpp - kernels around anchors ----------------------------------===//
//
// Needs: functions of kiln ops after kiln-decompose.
// Guarantees: functions hold kiln.get, kiln.reshape, kiln.launch and func.return only; every other op
// stands in a kiln.kernel with one result. Kernels of equal bodies are one symbol, weights being
// operands. kiln-outline makes a kernel of each op; kiln-fuse lets pointwise ops join the kernel that
// makes one of their operands.
// Reports: for each op that joined, what it joined; for each pointwise op that did not, why.
//
//===----------------------------------------------------------------------===//

#include "ir/KilnOps.h"
#include "passes/Passes.h"

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
using namespace mlir;

namespace {

/// Ops that become one kernel, in their order. The last one gives the result.
struct Group {
  SmallVector<Operation *> ops;
  Operation *anchor = nullptr;
  Operation *root() const { return ops.back(); }
};

FusionRole roleOf(Operation *op) {
  auto fusable = dyn_cast_or_null<Fusable>(op);
  return fusable ? fusable.getFusionRole() : FusionRole::Opaque;
}

/// Ops that every kernel that needs them repeats: constants, and repetitions of anything.
bool isRepeated(Operation *op) {
  return roleOf(op) == FusionRole::Constant || isa<BroadcastToOp>(op);
}

bool staysOutside(Operation &op) { return isa<GetOp, ReshapeOp, LaunchOp>(op) || op.hasTrait<OpTrait::IsTerminator>(); }

/// Forms groups within one function and turns them into launches.
class Former {
public:
  Former(ModuleOp module, bool fuse, llvm::StringMap<KernelOp> &known) : module(module), fuse(fuse), known(known) {}
  void run(func::FuncOp function);

private:
  Group *producer(Operation *op, std::string &why);
  Group *prologueOf(Operation *op);
  void add(Operation *op);
  void emit(Group &group, func::FuncOp function);
  KernelOp makeKernel(Group &group, func::FuncOp function, ArrayRef<Value> inputs);
  static std::string nameOf(const Group &group);

  ModuleOp module;
  bool fuse;
  llvm::StringMap<KernelOp> &known;
  std::vector<std::unique_ptr<Group>> groups;
  DenseMap<Operation *, Group *> groupOf;
};

} // namespace

/// The group that a pointwise op may join: one whose result only this op reads and has this op's
/// shape. Anchors come before mere chains, later ones before earlier ones.
Group *Former::producer(Operation *op, std::string &why) {
  Group *best = nullptr;
  why = "no operand comes from a kernel";
  for (Value operand : op->getOperands()) {
    Operation *def = operand.getDefiningOp();
    auto it = def ? groupOf.find(def) : groupOf.end();
    if (it == groupOf.end())
      continue;
    Group *group = it->second;
    if (!llvm::all_of(operand.getUsers(), [&](Operation *user) { return user == op; }))
      why = "the operand is read elsewhere too";
    else if (dimsOf(operand.getType()) != dimsOf(op->getResult(0).getType()))
      why = "the operand has another shape";
    else if (!best || (group->anchor && !best->anchor) || (!group->anchor == !best->anchor && best->root()->isBeforeInBlock(group->root())))
      best = group;
  }
  return best;
}

/// A border of zeros, or a chain without an anchor, that only this anchor reads: computed as it is read.
Group *Former::prologueOf(Operation *op) {
  Operation *def = op->getNumOperands() ? op->getOperand(0).getDefiningOp() : nullptr;
  auto it = def ? groupOf.find(def) : groupOf.end();
  if (it == groupOf.end() || it->second->anchor || !def->hasOneUse())
    return nullptr;
  bool padOfImage = isa<PadOp>(def) && roleOf(op) == FusionRole::Convolution && it->second->ops.size() == 1;
  bool chainOfSum = roleOf(op) == FusionRole::RowWise && !isa<SoftmaxOp, LogSoftmaxOp>(op) && roleOf(def) == FusionRole::Pointwise;
  return padOfImage || chainOfSum ? it->second : nullptr;
}

void Former::add(Operation *op) {
  FusionRole role = roleOf(op);
  Group *group = nullptr;
  std::string why;
  if (fuse && role == FusionRole::Pointwise) {
    group = producer(op, why);
    if (group)
      op->emitRemark() << "fused " << op->getName() << " into the kernel of " << group->ops.front()->getName();
    else
      op->emitRemark() << "missed: " << op->getName() << " begins a kernel, " << why;
  } else if (fuse && role != FusionRole::Movement) {
    group = prologueOf(op);
    if (group)
      op->emitRemark() << "fused " << group->root()->getName() << " into the reads of " << op->getName();
  }
  if (!group) {
    groups.push_back(std::make_unique<Group>());
    group = groups.back().get();
  }
  if (role != FusionRole::Pointwise && role != FusionRole::Movement)
    group->anchor = op;
  group->ops.push_back(op);
  groupOf[op] = group;
}

/// "conv2d_add_relu"; long chains are cut.
std::string Former::nameOf(const Group &group) {
  std::string name;
  for (Operation *op : group.ops) {
    if (name.size() > 40)
      break;
    name += "_" + op->getName().stripDialect().str();
  }
  return name;
}

/// The dimensions that a kernel's types and attributes name, with the function's bounds.
static DictionaryAttr usedDimensions(KernelOp kernel, func::FuncOp function) {
  std::set<std::string> used;
  auto collect = [&](ArrayRef<DimExpr> dims) {
    for (const DimExpr &dim : dims)
      dim.collectSymbols(used);
  };
  for (Type type : kernel.getArgumentTypes())
    collect(dimsOf(type));
  kernel.walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      collect(dimsOf(type));
    for (NamedAttribute attr : op->getAttrs())
      if (auto dims = dyn_cast<DimsAttr>(attr.getValue()))
        collect(dims.getDims());
  });
  NamedAttrList kept;
  if (auto all = function->getAttrOfType<DictionaryAttr>("kiln.dims"))
    for (NamedAttribute entry : all)
      if (used.count(entry.getName().str()))
        kept.append(entry);
  return kept.getDictionary(function.getContext());
}

KernelOp Former::makeKernel(Group &group, func::FuncOp function, ArrayRef<Value> inputs) {
  OpBuilder b(function);
  SmallVector<Type> types = llvm::map_to_vector(inputs, [](Value v) { return v.getType(); });
  auto type = b.getFunctionType(types, group.root()->getResultTypes());
  auto kernel = KernelOp::create(b, group.root()->getLoc(), "k", type, ArrayAttr(), ArrayAttr(), b.getStringAttr("private"));
  Block *body = new Block();
  kernel.getBody().push_back(body);
  IRMapping map;
  for (Value v : inputs)
    map.map(v, body->addArgument(v.getType(), v.getLoc()));
  b.setInsertionPointToStart(body);
  // Repeated ops are copied in front of their first reader.
  std::function<void(Operation *)> copy = [&](Operation *op) {
    for (Value v : op->getOperands())
      if (!map.contains(v))
        copy(v.getDefiningOp());
    b.clone(*op, map);
  };
  for (Operation *op : group.ops)
    copy(op);
  ReturnOp::create(b, group.root()->getLoc(), map.lookup(group.root()->getResult(0)));
  kernel->setAttr("kiln.dims", usedDimensions(kernel, function));
  // Equal text is an equal kernel.
  std::string text;
  llvm::raw_string_ostream os(text);
  kernel->print(os, OpPrintingFlags().useLocalScope());
  auto [slot, isNew] = known.try_emplace(text, kernel);
  if (!isNew) {
    kernel->erase();
    return slot->second;
  }
  kernel.setSymName("k" + std::to_string(known.size() - 1) + nameOf(group));
  return kernel;
}

/// What a group reads from outside, in order of reading; repeated ops are looked through.
static void collectInputs(Operation *op, const DenseSet<Operation *> &inside, llvm::SetVector<Value> &inputs) {
  for (Value v : op->getOperands()) {
    Operation *def = v.getDefiningOp();
    if (def && inside.contains(def))
      continue;
    if (def && isRepeated(def))
      collectInputs(def, inside, inputs);
    else
      inputs.insert(v);
  }
}

void Former::emit(Group &group, func::FuncOp function) {
  llvm::SetVector<Value> inputs;
  DenseSet<Operation *> inside(group.ops.begin(), group.ops.end());
  for (Operation *op : group.ops)
    collectInputs(op, inside, inputs);
  KernelOp kernel = makeKernel(group, function, inputs.getArrayRef());
  OpBuilder b(group.root());
  auto launch = LaunchOp::create(b, group.root()->getLoc(), group.root()->getResultTypes(), FlatSymbolRefAttr::get(kernel.getSymNameAttr()),
                                 inputs.getArrayRef(), DimsAttr());
  group.root()->getResult(0).replaceAllUsesWith(launch.getResult(0));
}

void Former::run(func::FuncOp function) {
  Block &body = function.front();
  for (Operation &op : body)
    if (!staysOutside(op) && !isRepeated(&op))
      add(&op);
  // A repeated op whose value must exist in memory (it is returned or reshaped) is a kernel itself.
  for (Operation &op : body)
    if (isRepeated(&op) && llvm::any_of(op.getUsers(), [](Operation *user) { return staysOutside(*user); }))
      add(&op);
  llvm::sort(groups, [](const auto &a, const auto &b) { return a->root()->isBeforeInBlock(b->root()); });
  for (auto &group : groups)
    emit(*group, function);
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (!staysOutside(op) || (isa<ReshapeOp, GetOp>(op) && op.use_empty()))
      if (op.use_empty())
        op.erase();
}

static void runOn(ModuleOp module, bool fuse) {
  llvm::StringMap<KernelOp> known;
  for (auto function : llvm::to_vector(module.getOps<func::FuncOp>()))
    Former(module, fuse, known).run(function);
}

namespace {
struct Fuse : passes::impl::FuseBase<Fuse> {
  void runOnOperation() override { runOn(getOperation(), /*fuse=*/true); }
};
struct Outline : passes::impl::OutlineBase<Outline> {
  void runOnOperation() override { runOn(getOperation(), /*fuse=*/false); }
};
} // namespace
