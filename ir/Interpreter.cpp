//===- Interpreter.cpp - the oracle ---------------------------------------===//

#include "ir/Interpreter.h"

#include "ir/KilnOps.h"
#include "ir/Requirements.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/ScopeExit.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

/// "the index: expected at least 0, got N - 3 = -1"
static std::string violation(const Requirement &requirement, std::optional<int64_t> got,
                             std::optional<int64_t> expected) {
  auto side = [](const DimExpr &expr, std::optional<int64_t> value) {
    return expr.isConstant() ? expr.str()
                             : expr.str() + " = " + (value ? std::to_string(*value) : "unknown");
  };
  return requirement.subject + ": expected " + std::string(words(requirement.relation)) +
         side(requirement.expected, expected) + ", got " + side(requirement.got, got);
}

FailureOr<Tensor> ir::weightValue(Operation *user, StringRef symbol) {
  auto module = user->getParentOfType<ModuleOp>();
  auto weight = module ? module.lookupSymbol<WeightOp>(symbol) : WeightOp();
  if (!weight || !weight.getHash())
    return user->emitError("the weight '") << symbol << "' has no value; give --weights", failure();
  WeightStore &store = user->getContext()->getLoadedDialect<KilnDialect>()->getWeights();
  const WeightView *view = store.find(*weight.getHash());
  if (!view)
    return user->emitError("the weight '") << symbol << "' is not in the weight store", failure();
  return Tensor::fromBytes(view->type, view->shape, view->bytes.data());
}

/// Makes sure that every extent and position of the op has a value, and that what the op requires
/// of them holds: no method of an op then reads outside of its operands.
static LogicalResult checkDims(Operation *op, const Evaluation &evaluation) {
  auto known = [&](ArrayRef<DimExpr> dims) -> LogicalResult {
    for (const DimExpr &dim : dims)
      if (!evaluation.tryValue(dim))
        return op->emitOpError("needs the value of '") << dim.str() << "', which is not known";
    return success();
  };
  for (NamedAttribute attr : op->getAttrDictionary())
    if (auto dims = dyn_cast<DimsAttr>(attr.getValue()); dims && failed(known(dims.getDims())))
      return failure();
  for (Type type : op->getResultTypes())
    if (failed(known(dimsOf(type))))
      return failure();
  for (const Requirement &requirement : requirementsOf(op)) {
    std::optional<int64_t> got = evaluation.tryValue(requirement.got),
                           expected = evaluation.tryValue(requirement.expected);
    if (!got || !expected || !holds(*got, requirement.relation, *expected))
      return op->emitError(violation(requirement, got, expected));
  }
  return success();
}

FailureOr<SmallVector<Tensor>> ir::evaluateOp(Operation *op, ArrayRef<const Tensor *> operands,
                                              const Evaluation &evaluation) {
  auto evaluable = dyn_cast<Evaluable>(op);
  if (!evaluable)
    return op->emitOpError("has no meaning to the interpreter"), failure();
  if (failed(checkDims(op, evaluation)))
    return failure();
  SmallVector<Tensor> results;
  for (Value result : op->getResults())
    results.emplace_back(*dtypeOf(result.getType()), evaluation.values(dimsOf(result.getType())));
  if (failed(evaluable.evaluate(operands, results, evaluation)))
    return failure();
  for (Tensor &t : results)
    for (double &v : t.floats)
      v = roundTo(t.type, v);
  return results;
}

FailureOr<Evaluation> ir::bindDimensions(FunctionOpInterface function, ArrayRef<Tensor> arguments) {
  Evaluation evaluation;
  if (arguments.size() != function.getNumArguments())
    return function.emitError("expected ")
               << function.getNumArguments() << " arguments, got " << arguments.size(),
           failure();
  // Names that stand alone are bound first; then everything is checked.
  for (int pass = 0; pass < 2; ++pass)
    for (auto [number, argument] : llvm::enumerate(arguments)) {
      Type type = function.getArgumentTypes()[number];
      SmallVector<DimExpr> dims = dimsOf(type);
      bool fits = dims.size() == argument.shape.size() && dtypeOf(type) == argument.type;
      for (size_t i = 0; fits && i < dims.size(); ++i) {
        std::optional<std::string> symbol = dims[i].asSymbol();
        if (pass == 0 && symbol)
          evaluation.dims.try_emplace(*symbol, argument.shape[i]);
        else if (pass == 1)
          fits = evaluation.tryValue(dims[i]) == argument.shape[i];
      }
      if (!fits)
        return function.emitError("argument ")
                   << number << " does not fit: expected " << typeText(type) << ", got "
                   << typeText(tensorType(
                          function.getContext(), argument.type,
                          SmallVector<DimExpr>(argument.shape.begin(), argument.shape.end()))),
               failure();
    }
  for (auto &[symbol, bounds] : declaredBounds(function)) {
    auto it = evaluation.dims.find(symbol);
    if (it != evaluation.dims.end() &&
        (it->second < *bounds.lower || (bounds.upper && it->second > *bounds.upper)))
      return function.emitError("dimension '")
                 << symbol << "' = " << it->second << " is outside of its bounds",
             failure();
  }
  for (RequirementAttr attr : declaredRequirements(function)) {
    Requirement requirement = attr.getRequirement();
    std::optional<int64_t> got = evaluation.tryValue(requirement.got),
                           expected = evaluation.tryValue(requirement.expected);
    if (!got || !expected || !holds(*got, requirement.relation, *expected))
      return emitError(attr.getLoc(), violation(requirement, got, expected)), failure();
  }
  return evaluation;
}

namespace {
/// One activation of a function or kernel.
class Frame {
public:
  Frame(const Evaluation &evaluation, AfterOp after) : evaluation(evaluation), after(after) {}
  FailureOr<SmallVector<Tensor>> run(FunctionOpInterface function, ArrayRef<Tensor> arguments);

private:
  LogicalResult execute(Operation &op);
  LogicalResult launch(LaunchOp op);
  LogicalResult place(LaunchOp op, MutableArrayRef<Tensor> results);
  LogicalResult checkAlive(Operation &op, Value value);

  const Evaluation &evaluation;
  AfterOp after;
  DenseMap<Value, Tensor> values;
  /// The arena: who wrote each byte last, by position in the launch order. Views share their
  /// operand's range.
  struct Range {
    int64_t begin, end;
    unsigned writer;
  };
  DenseMap<Value, Range> ranges;
  std::vector<unsigned> owner;
  unsigned launches = 0;
};
} // namespace

/// After `plan`: every byte of the value must still be its own.
LogicalResult Frame::checkAlive(Operation &op, Value value) {
  auto it = ranges.find(value);
  if (it == ranges.end())
    return success();
  for (int64_t i = it->second.begin; i < it->second.end; ++i)
    if (owner[i] != it->second.writer)
      return op.emitOpError("reads byte ")
             << i << " of the arena, which a later launch has overwritten";
  return success();
}

LogicalResult Frame::place(LaunchOp op, MutableArrayRef<Tensor> results) {
  ++launches;
  if (!op.getOffsets())
    return success();
  SmallVector<DimExpr> offsets = op.getOffsetsAttr().getDims();
  for (auto [i, tensor] : llvm::enumerate(results)) {
    std::optional<int64_t> place = evaluation.tryValue(offsets[i]);
    if (!place)
      return op.emitOpError("has an offset of unknown value");
    int64_t begin = *place, size = tensor.numElements() * byteSize(tensor.type);
    if (begin < 0)
      continue; // a result of the entry point: not in the arena
    // Kernels write while they read.
    for (Value operand : op.getOperands())
      if (auto it = ranges.find(operand);
          it != ranges.end() && it->second.begin < begin + size && begin < it->second.end)
        return op.emitOpError("writes byte ")
               << std::max(begin, it->second.begin) << " of the arena, where an operand lies";
    if (owner.size() < static_cast<size_t>(begin + size))
      owner.resize(begin + size, 0);
    std::fill(owner.begin() + begin, owner.begin() + begin + size, launches);
    ranges[op.getResult(i)] = {begin, begin + size, launches};
    std::vector<uint8_t> bytes(size);
    tensor.toBytes(bytes.data()); // element types are what memory holds
    tensor = Tensor::fromBytes(tensor.type, tensor.shape, bytes.data());
  }
  return success();
}

LogicalResult Frame::launch(LaunchOp op) {
  auto kernel = op->getParentOfType<ModuleOp>().lookupSymbol<KernelOp>(op.getKernel());
  SmallVector<Tensor> arguments;
  for (Value v : op.getOperands())
    arguments.push_back(values[v]);
  Frame inner(evaluation, after);
  FailureOr<SmallVector<Tensor>> results = inner.run(kernel, arguments);
  if (failed(results) || failed(place(op, *results)))
    return failure();
  for (auto [value, tensor] : llvm::zip(op.getResults(), *results))
    values[value] = std::move(tensor);
  return success();
}

LogicalResult Frame::execute(Operation &op) {
  for (Value v : op.getOperands())
    if (failed(checkAlive(op, v)))
      return failure();
  if (auto get = dyn_cast<GetOp>(op)) {
    FailureOr<Tensor> value = weightValue(&op, get.getWeight());
    if (failed(value))
      return failure();
    values[get] = std::move(*value);
    return success();
  }
  if (auto call = dyn_cast<LaunchOp>(op))
    return launch(call);
  SmallVector<const Tensor *> operands;
  for (Value v : op.getOperands())
    operands.push_back(&values[v]);
  FailureOr<SmallVector<Tensor>> results = evaluateOp(&op, operands, evaluation);
  if (failed(results))
    return failure();
  if (after)
    after(&op, operands, *results);
  for (auto [value, tensor] : llvm::zip(op.getResults(), *results))
    values[value] = std::move(tensor);
  if (isa<ReshapeOp>(op))
    if (auto it = ranges.find(op.getOperand(0)); it != ranges.end()) {
      Range range = it->second;
      ranges[op.getResult(0)] = range;
    }
  return success();
}

FailureOr<SmallVector<Tensor>> Frame::run(FunctionOpInterface function,
                                          ArrayRef<Tensor> arguments) {
  Block &body = function.getFunctionBody().front();
  for (auto [value, tensor] : llvm::zip(body.getArguments(), arguments))
    values[value] = tensor;
  // Values are dropped after their last use: a big network's intermediates do not fit otherwise.
  DenseMap<Value, Operation *> lastUse;
  for (Operation &op : body)
    for (Value v : op.getOperands())
      lastUse[v] = &op;
  for (Operation &op : body.without_terminator()) {
    if (failed(execute(op)))
      return failure();
    for (Value v : op.getOperands())
      if (lastUse[v] == &op)
        values.erase(v);
  }
  SmallVector<Tensor> results;
  for (Value v : body.getTerminator()->getOperands()) {
    if (failed(checkAlive(*body.getTerminator(), v)))
      return failure();
    results.push_back(values[v]);
  }
  return results;
}

FailureOr<SmallVector<Tensor>> ir::interpret(FunctionOpInterface function,
                                             ArrayRef<Tensor> arguments, AfterOp after) {
  FailureOr<Evaluation> evaluation = bindDimensions(function, arguments);
  if (failed(evaluation))
    return failure();
  FailureOr<SmallVector<Tensor>> results = Frame(*evaluation, after).run(function, arguments);
  if (succeeded(results))
    for (Tensor &t : *results)
      for (double &v : t.floats)
        v = roundTo(t.type, v);
  return results;
}
