//===- FoldWeights.cpp - evaluation of what weights alone decide ----------===//
//
// Needs: any module of the dialect; weights without a hash (not read yet) are left alone.
// Guarantees: no op of trained or constant operands only is left, unless its result takes more than
// 4 kB and more than its operands (broadcasts, say), or it is kiln.dequantize, whose operand is how
// a weight is stored; no weight without a use. Reports nothing.
//
//===----------------------------------------------------------------------===//

#include "ir/Interpreter.h"
#include "ir/build/Rules.h"
#include "passes/Build.h"
#include "passes/Passes.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

#include <cstring>

using namespace mlir;
using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;

namespace kiln::passes {
#define GEN_PASS_DEF_FOLDWEIGHTS
#include "passes/Passes.h.inc"
} // namespace kiln::passes

namespace {
std::optional<SmallVector<int64_t, 6>> staticShape(Type type) {
  SmallVector<int64_t, 6> shape;
  for (const DimExpr &dim : dimsOf(type)) {
    std::optional<int64_t> value = dim.constantValue();
    if (!value || *value < 0)
      return std::nullopt;
    shape.push_back(*value);
  }
  return shape;
}

/// Whether an attribute names a dimension, whose value only a call gives.
bool dependsOnCall(Operation *op) {
  return llvm::any_of(op->getAttrDictionary(), [](NamedAttribute attr) {
    auto dims = dyn_cast<DimsAttr>(attr.getValue());
    return dims && llvm::any_of(dims.getDims(), [](const DimExpr &d) { return !d.isConstant(); });
  });
}

int64_t bytesOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getNumElements() * byteSize(*dtypeOf(type));
}

/// Largest tensor that folding makes on the way, in elements: more is left to the library.
constexpr int64_t maxFoldedElements = int64_t(1) << 28;

/// Largest condition that is looked at for being one value everywhere.
constexpr int64_t maxCondition = 1 << 16;

/// Bytes of a permuted tensor of dense rows; elements stay as they are.
std::vector<uint8_t> permuteBytes(ArrayRef<uint8_t> from, int64_t size, ArrayRef<int64_t> shape,
                                  ArrayRef<int64_t> axes) {
  std::vector<uint8_t> to(from.size());
  SmallVector<int64_t> strides(shape.size(), size), extents, steps;
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * shape[i];
  for (int64_t axis : axes) {
    extents.push_back(shape[axis]);
    steps.push_back(strides[axis]);
  }
  SmallVector<int64_t> index(axes.size(), 0);
  int64_t position = 0;
  for (size_t at = 0; at < to.size(); at += size) {
    std::memcpy(&to[at], &from[position], size);
    for (size_t d = axes.size(); d-- > 0;) {
      position += steps[d];
      if (++index[d] < extents[d])
        break;
      position -= steps[d] * extents[d];
      index[d] = 0;
    }
  }
  return to;
}

class Folder {
public:
  explicit Folder(ModuleOp module)
      : module(module), symbols(module),
        store(module.getContext()->getLoadedDialect<KilnDialect>()->getWeights()) {
    for (auto weight : module.getOps<WeightOp>())
      if (weight.getHash())
        byHash.try_emplace(*weight.getHash(), weight);
  }

  LogicalResult run() {
    SmallVector<Operation *> roots;
    module.walk([&](Operation *op) {
      if (op->getNumResults() == 1 && isKnown(op))
        known.insert(op);
    });
    if (failed(decideChoices()))
      return failure();
    // A root is known but used by something that is not.
    module.walk([&](Operation *op) {
      if (known.contains(op) &&
          llvm::any_of(op->getUsers(), [&](Operation *user) { return !known.contains(user); }))
        roots.push_back(op);
    });
    for (Operation *root : roots)
      if (failed(fold(root)))
        return failure();
    auto order = known.takeVector();
    for (Operation *op : llvm::reverse(order))
      if (op->use_empty())
        op->erase();
    removeUnused();
    return success();
  }

private:
  bool isKnown(Operation *op) const {
    if (auto get = dyn_cast<GetOp>(op)) {
      auto weight = symbols.lookup<WeightOp>(get.getWeight());
      return weight && weight.getHash() && store.find(*weight.getHash());
    }
    if (!isa<Evaluable>(op) || isa<DequantizeOp>(op) || !staticShape(op->getResult(0).getType()) ||
        dependsOnCall(op) ||
        cast<ShapedType>(op->getResult(0).getType()).getNumElements() > maxFoldedElements)
      return false;
    return llvm::all_of(op->getOperands(), [&](Value v) {
      return v.getDefiningOp() && known.contains(v.getDefiningOp());
    });
  }

  /// Replaces each `where` whose condition is known to be one value everywhere.
  LogicalResult decideChoices() {
    SmallVector<std::pair<WhereOp, Operation *>> choices;
    module.walk([&](WhereOp op) {
      Operation *condition = op.getCondition().getDefiningOp();
      while (isa_and_nonnull<BroadcastToOp, ReshapeOp>(condition))
        condition = condition->getOperand(0).getDefiningOp();
      if (condition && known.contains(condition) && !known.contains(op) &&
          cast<ShapedType>(condition->getResult(0).getType()).getNumElements() <= maxCondition)
        choices.push_back({op, condition});
    });
    for (auto [op, condition] : choices) {
      const Tensor *value = evaluate(condition);
      if (!value)
        return failure();
      bool isTrue = value->ints.empty() || value->ints[0];
      bool isDecided =
          llvm::all_of(value->ints, [&](int64_t each) { return bool(each) == isTrue; });
      values.clear();
      if (!isDecided)
        continue;
      op.getResult().replaceAllUsesWith(isTrue ? op.getA() : op.getB());
      op.erase();
    }
    return success();
  }

  /// Folds the op, or where it only enlarges its operands, those.
  LogicalResult fold(Operation *op) {
    if (isLeaf(op->getResult(0)) || !done.insert(op).second)
      return success();
    llvm::SmallSetVector<Operation *, 4> leaves;
    collectLeaves(op, leaves);
    int64_t inputs = 0;
    GetOp first;
    for (Operation *leaf : leaves) {
      auto get = dyn_cast<GetOp>(leaf);
      if (get && !first)
        first = get;
      inputs += get || isa<ConstantOp>(leaf) ? bytesOf(leaf->getResult(0)) : 0;
    }
    int64_t size = bytesOf(op->getResult(0));
    // Panels are a little larger than the weight, and nothing can read it unpacked.
    if (!isa<PackOp>(op) && size > maxConstantBytes && size > inputs) {
      for (Value operand : op->getOperands())
        if (failed(fold(operand.getDefiningOp())))
          return failure();
      return success();
    }
    if (std::optional<std::vector<uint8_t>> bytes = moved(op)) {
      replace(op, std::move(*bytes), first);
      return success();
    }
    values.clear();
    const Tensor *value = evaluate(op);
    if (!value)
      return failure();
    std::vector<uint8_t> bytes(bytesOf(op->getResult(0)));
    value->toBytes(bytes.data());
    values.clear();
    replace(op, std::move(bytes), first);
    return success();
  }

  /// The value of permutes and reshapes of a weight, without the interpreter's f64 in between:
  /// large weights of classifiers are turned like this.
  std::optional<std::vector<uint8_t>> moved(Operation *op) {
    if (auto get = dyn_cast<GetOp>(op)) {
      ArrayRef<uint8_t> bytes =
          store.find(*symbols.lookup<WeightOp>(get.getWeight()).getHash())->bytes;
      return std::vector<uint8_t>(bytes.begin(), bytes.end());
    }
    if (!isa<ReshapeOp, PermuteOp>(op))
      return std::nullopt;
    std::optional<std::vector<uint8_t>> bytes = moved(op->getOperand(0).getDefiningOp());
    if (auto permute = dyn_cast<PermuteOp>(op); permute && bytes)
      return permuteBytes(*bytes, byteSize(*dtypeOf(permute.getType())),
                          permute.getX().getType().getShape(), permute.getAxes());
    return bytes;
  }

  void collectLeaves(Operation *op, llvm::SmallSetVector<Operation *, 4> &leaves) {
    if (isLeaf(op->getResult(0))) {
      leaves.insert(op);
      return;
    }
    for (Value operand : op->getOperands())
      collectLeaves(operand.getDefiningOp(), leaves);
  }

  /// The value, rounded to its type; null after an error.
  const Tensor *evaluate(Operation *op) {
    if (auto found = values.find(op); found != values.end())
      return found->second.get();
    auto result = std::make_unique<Tensor>();
    if (auto get = dyn_cast<GetOp>(op)) {
      const WeightView &view = *store.find(*symbols.lookup<WeightOp>(get.getWeight()).getHash());
      *result = Tensor::fromBytes(view.type, view.shape, view.bytes.data());
    } else {
      SmallVector<const Tensor *> operands;
      for (Value operand : op->getOperands()) {
        operands.push_back(evaluate(operand.getDefiningOp()));
        if (!operands.back())
          return nullptr;
      }
      FailureOr<SmallVector<Tensor>> results = evaluateOp(op, operands, {});
      if (failed(results))
        return nullptr;
      *result = std::move(results->front());
    }
    return (values[op] = std::move(result)).get();
  }

  void replace(Operation *op, std::vector<uint8_t> bytes, GetOp first) {
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    OpBuilder builder(op);
    Value folded;
    if (!first && bytes.size() <= maxConstantBytes)
      folded = ConstantOp::create(builder, op->getLoc(), type, constantOf(type, bytes));
    else
      folded = GetOp::create(builder, op->getLoc(), type,
                             addWeight(op, std::move(bytes), first).getSymName());
    op->getResult(0).replaceAllUsesWith(folded);
  }

  WeightOp addWeight(Operation *op, std::vector<uint8_t> bytes, GetOp first) {
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    std::string hash = store.addOwned(*dtypeOf(type), type.getShape(), std::move(bytes));
    WeightOp &weight = byHash[hash];
    if (!weight) {
      StringRef base = first ? first.getWeight().split(".folded").first : StringRef("constant");
      std::string name = (base + ".folded").str();
      OpBuilder builder(module.getBodyRegion());
      weight = WeightOp::create(builder, op->getLoc(), name, type, builder.getStringAttr(hash));
      if (first)
        weight->moveAfter(symbols.lookup(first.getWeight()));
      symbols.insert(weight);
    }
    return weight;
  }

  void removeUnused() {
    llvm::StringSet<> used;
    module.walk([&](GetOp get) { used.insert(get.getWeight()); });
    for (auto weight : llvm::make_early_inc_range(module.getOps<WeightOp>()))
      if (!used.contains(weight.getSymName()))
        weight.erase();
  }

  ModuleOp module;
  SymbolTable symbols;
  WeightStore &store;
  llvm::StringMap<WeightOp> byHash;
  llvm::SetVector<Operation *> known; ///< in the order of definition
  llvm::DenseSet<Operation *> done;
  llvm::MapVector<Operation *, std::unique_ptr<Tensor>> values; ///< while one root is evaluated
};

struct FoldWeightsPass : passes::impl::FoldWeightsBase<FoldWeightsPass> {
  void runOnOperation() override {
    if (failed(Folder(getOperation()).run()))
      signalPassFailure();
  }
};
} // namespace
