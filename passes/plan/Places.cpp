//===- Places.cpp - which values share memory, and for how long -----------===//

#include "passes/plan/Places.h"

#include "ir/Requirements.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

Places::Places(func::FuncOp function)
    : function(function), bound(boundDimensions(function)), known(knownOfCalls(function)) {
  number(function.front());
  shareLoops();
  shareResults();
  function.walk([&](Operation *op) {
    if (auto scan = dyn_cast<ScanOp>(op))
      shareInitial(op, scan.getInitial(), scan.getFinals());
    else if (auto loop = dyn_cast<WhileOp>(op))
      shareInitial(op, loop.getInitial(), loop.getResults());
  });
  function.walk([&](LaunchOp launch) { overwrite(launch); });
}

void Places::number(Block &block) {
  for (Operation &op : block) {
    spans[&op].begin = ++position;
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        number(inner);
    spans[&op].end = ++position;
  }
}

Value Places::rootOf(Value value) const {
  for (;;) {
    auto it = shared.find(value);
    if (it == shared.end())
      return value;
    value = it->second;
  }
}

void Places::share(Value value, Value with) {
  Value from = rootOf(value), to = rootOf(with);
  if (from == to)
    return;
  shared[from] = to;
  SmallVector<Value> values = all.contains(from) ? all[from] : SmallVector<Value>{from};
  all.erase(from);
  if (!all.contains(to))
    all[to] = {to};
  all[to].append(values.begin(), values.end());
}

/// What a value was before views of it and writes in place.
Value Places::baseOf(Value value) const {
  while (Operation *op = value.getDefiningOp()) {
    auto launch = dyn_cast<LaunchOp>(op);
    if (isa<ReshapeOp>(op))
      value = op->getOperand(0);
    else if (launch && launch.getInPlace())
      value = launch.getOperands()[*launch->getParentOfType<ModuleOp>()
                                        .lookupSymbol<KernelOp>(launch.getKernel())
                                        .getOverwritten()];
    else
      break;
  }
  return value;
}

/// Whether memory is used at a position or behind it, in a region (null: anywhere), other than by
/// an op.
bool Places::isUsedFrom(Value root, unsigned position, Operation *except, Region *within) const {
  auto it = all.find(root);
  ArrayRef<Value> values = it == all.end() ? ArrayRef<Value>(root) : ArrayRef<Value>(it->second);
  return llvm::any_of(values, [&](Value value) {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      return user != except && spans.lookup(user).end >= position &&
             (!within || within->isAncestor(user->getParentRegion()));
    });
  });
}

//===----------------------------------------------------------------------===//
// What shares
//===----------------------------------------------------------------------===//

void Places::shareLoops() {
  function.walk([&](Operation *op) {
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](ReshapeOp view) { share(view, view.getX()); })
        .Case([&](ScanOp scan) {
          for (auto [element, sequence] : llvm::zip(scan.getElements(), scan.getSequences()))
            share(element, sequence);
          for (auto [argument, result] : llvm::zip(scan.getCarried(), scan.getFinals()))
            share(argument, result);
        })
        .Case([&](WhileOp loop) {
          for (Region *region : loop.getLoopRegions())
            for (auto [argument, result] : llvm::zip(region->getArguments(), loop.getResults()))
              share(argument, result);
        });
  });
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](ScanOp scan) { shareYields(scan.getBody(), scan.getNext(), scan.getFinals()); })
        .Case([&](WhileOp loop) { shareYields(loop.getBody(), loop.getNext(), loop.getResults()); })
        .Case([&](IfOp branch) {
          for (Region &region : branch->getRegions())
            shareYields(region, region.front().getTerminator()->getOperands(), branch.getResults());
        });
  });
}

/// What a launch of the region makes to be handed on is made in its place, if what lies there is
/// not used any more.
void Places::shareYields(Region &region, ValueRange next, ValueRange results) {
  for (auto [value, result] : llvm::zip(next, results)) {
    auto launch = value.getDefiningOp<LaunchOp>();
    if (!launch || launch->getParentRegion() != &region || shared.contains(value) ||
        isUsedFrom(rootOf(result), spans[launch].begin, nullptr, &region))
      continue;
    share(value, result);
  }
}

bool Places::isSet(StringRef state) {
  return llvm::any_of(function.front().getOps<SetStateOp>(),
                      [&](SetStateOp set) { return set.getState() == state; });
}

/// A carried value begins where its first one is made, if nothing else uses that; a state that a
/// loop changes in its place stays there. What a launch of the round makes anew has a place in the
/// arena.
void Places::shareInitial(Operation *loop, ValueRange initial, ValueRange results) {
  for (auto [first, result] : llvm::zip(initial, results)) {
    auto state = first.getDefiningOp<GetStateOp>();
    auto launch = first.getDefiningOp<LaunchOp>();
    if (!first.hasOneUse() || shared.contains(first) || direct.contains(first) ||
        rootOf(result) != result)
      continue;
    if (launch && launch->getBlock() == loop->getBlock()) {
      share(first, result);
    } else if (state && loop->getBlock() == state->getBlock() && isSet(state.getState()) &&
               llvm::none_of(all.lookup(result), [](Value value) {
                 return isa_and_nonnull<LaunchOp>(value.getDefiningOp());
               })) {
      share(result, first);
    }
  }
}

/// Results that a launch or scan can write in place: the first return of each value.
void Places::shareResults() {
  for (auto [r, value] : llvm::enumerate(function.front().getTerminator()->getOperands())) {
    Value root = rootOf(value);
    Operation *op = root.getDefiningOp();
    auto scan = dyn_cast_or_null<ScanOp>(op);
    if (isa_and_nonnull<LaunchOp>(op) ||
        (scan && cast<OpResult>(root).getResultNumber() < scan.getNumStacks()))
      direct.try_emplace(root, -1 - static_cast<int64_t>(r));
  }
}

/// Why a launch may not write into the memory of its operand; empty if it may.
std::string Places::reasonAgainst(LaunchOp launch, Value operand) {
  Value root = rootOf(operand), base = baseOf(operand);
  Operation *around = base.getParentBlock()->getParentOp();
  bool isCarried = isa<BlockArgument>(base) && root.getDefiningOp() == around;
  if (isa<BlockArgument>(root) || root.getDefiningOp<GetOp>())
    return "its memory is the caller's, or a weight's";
  if (isa<BlockArgument>(base) && !isCarried && !root.getDefiningOp<GetStateOp>())
    return "it is a part of a sequence";
  if (direct.contains(root))
    return "the function returns it";
  if (llvm::count_if(launch.getOperands(), [&](Value other) { return rootOf(other) == root; }) != 1)
    return "the kernel reads it a second time";
  // What a carried value has become is read behind the loop; that is no use of the old one.
  bool isLocal = isa<BlockArgument>(base);
  if (isUsedFrom(root, spans[launch].begin, launch, isLocal ? base.getParentRegion() : nullptr))
    return "it is used later";
  for (Operation *op = launch->getParentOp(); op != around; op = op->getParentOp())
    if (isa<ScanOp, WhileOp>(op))
      return "the next round uses it";
  if (auto state = root.getDefiningOp<GetStateOp>(); state && !isSet(state.getState()))
    return "the state keeps its value";
  return "";
}

void Places::overwrite(LaunchOp launch) {
  auto kernel = launch->getParentOfType<ModuleOp>().lookupSymbol<KernelOp>(launch.getKernel());
  std::optional<unsigned> number = kernel ? kernel.getOverwritten() : std::nullopt;
  if (!number)
    return;
  Value operand = launch.getOperands()[*number];
  std::string reason = reasonAgainst(launch, operand);
  Value result = launch.getResult(0);
  if (reason.empty() && shared.contains(result) && rootOf(result) != rootOf(operand))
    reason = "the result has a place of its own";
  auto note = remark::RemarkOpts::name("in-place").category("plan");
  if (!reason.empty()) {
    remark::missed(launch.getLoc(), note)
        << "a slice is written into a copy of the tensor: " + reason;
    return;
  }
  remark::passed(launch.getLoc(), note) << "a slice is written in place";
  launch.setInPlace(true);
  direct.erase(result); // a copy to the caller takes as long as one of the tensor
  share(result, operand);
}

//===----------------------------------------------------------------------===//
// How long
//===----------------------------------------------------------------------===//

/// Room for the most that values can make of it. What a branch or loop makes is as good as nothing
/// where a call that does not run it makes an extent less than 0.
DimExpr Places::sizeOf(Value value) const {
  SmallVector<DimExpr> dims = dimsOf(value.getType());
  if (!isa<func::FuncOp>(value.getParentBlock()->getParentOp()))
    for (DimExpr &extent : dims)
      if (std::optional<int64_t> least = known.boundsOf(extent).lower; !least || *least < 0)
        extent = DimExpr::max(extent, 0);
  DimExpr bytes = numElements(dims) * DimExpr(byteSize(*dtypeOf(value.getType())));
  return bytes.most(bound);
}

/// The position of the last use of memory that `definition` makes; in a loop that does not contain
/// that, the loop's end.
unsigned Places::lastUse(Value root, Operation *definition) const {
  unsigned last = spans.lookup(definition).begin;
  auto it = all.find(root);
  ArrayRef<Value> values = it == all.end() ? ArrayRef<Value>(root) : ArrayRef<Value>(it->second);
  for (Value value : values)
    for (Operation *user : value.getUsers()) {
      last = std::max(last, spans.lookup(user).begin);
      for (Operation *op = user; op != function; op = op->getParentOp())
        if (isa<ScanOp, WhileOp>(op) && !op->isProperAncestor(definition))
          last = std::max(last, spans.lookup(op).end);
    }
  return last;
}

SmallVector<Lifetime> Places::lifetimes() {
  SmallVector<Lifetime> lives;
  auto add = [&](Value value, unsigned end) {
    if (shared.contains(value) || direct.contains(value))
      return;
    Operation *op = value.getDefiningOp();
    unsigned begin = spans[op].begin;
    if (auto it = all.find(value); it != all.end())
      for (Value other : it->second)
        if (Operation *maker = other.getDefiningOp())
          begin = std::min(begin, spans[maker].begin);
    lives.push_back({value, nullptr, sizeOf(value), begin, std::max(end, lastUse(value, op)), 0});
  };
  auto addWaits = [&](Operation *op, ValueRange carried, ValueRange next) {
    Operation *end = op->getRegions().back().front().getTerminator();
    for (auto [i, value] : llvm::enumerate(next))
      if (ir::waits(carried, value, i))
        lives.push_back({nullptr, op, sizeOf(value), spans[end].begin, spans[end].end, 0});
  };
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (auto launch = dyn_cast<LaunchOp>(op)) {
      for (Value value : launch.getResults())
        add(value, 0);
    } else if (isa<ScanOp, WhileOp, IfOp>(op)) {
      for (Value value : op->getResults())
        add(value, spans[op].end);
      if (auto scan = dyn_cast<ScanOp>(op))
        addWaits(op, scan.getCarried(), scan.getNext());
      if (auto loop = dyn_cast<WhileOp>(op))
        addWaits(op, loop.getCarried(), loop.getNext());
    } else if (auto set = dyn_cast<SetStateOp>(op)) {
      auto other = rootOf(set.getValue()).getDefiningOp<GetStateOp>();
      if (other && other.getState() != set.getState())
        lives.push_back({nullptr, op, sizeOf(set.getValue()), spans[op].begin, position, 0});
    }
  });
  return lives;
}

//===----------------------------------------------------------------------===//
// Offsets
//===----------------------------------------------------------------------===//

/// Of a value with a place in the arena, among the function's results, or where a state lies.
DimExpr Places::offsetOf(Value value) const {
  Value root = rootOf(value);
  if (root.getDefiningOp<GetStateOp>())
    return DimExpr(placeOfInitial);
  if (auto it = direct.find(root); it != direct.end())
    return it->second;
  return offsets.lookup(root);
}

void Places::write(ArrayRef<Lifetime> lives) {
  for (const Lifetime &life : lives)
    if (life.root)
      offsets[life.root] = life.offset;
    else
      waits[life.waiter].push_back(life.offset);
  MLIRContext *context = function.getContext();
  function.walk([&](Operation *op) {
    SmallVector<DimExpr> own;
    if (auto scan = dyn_cast<ScanOp>(op)) {
      for (Value value : scan.getFinals())
        own.push_back(offsetOf(value));
      for (Value value : scan.getStacks())
        own.push_back(offsetOf(value));
    } else if (isa<LaunchOp, WhileOp, IfOp>(op)) {
      for (Value value : op->getResults())
        own.push_back(offsetOf(value));
    } else {
      if (auto it = waits.find(op); it != waits.end())
        op->setAttr("kiln.wait", DimsAttr::get(context, it->second));
      return;
    }
    own.append(waits.lookup(op));
    op->setAttr("offsets", DimsAttr::get(context, own));
  });
}
