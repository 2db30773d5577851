//===- Frame.cpp - execution op by op, and the arena ----------------------===//

#include "ir/Frame.h"
#include "ir/Requirements.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

//===----------------------------------------------------------------------===//
// The arena
//===----------------------------------------------------------------------===//

/// After `plan`: every byte of the value must still be its own.
LogicalResult Frame::checkAlive(Operation &op, Value value) {
  auto it = ranges.find(value);
  return it == ranges.end() ? success() : checkAlive(op, it->second);
}

LogicalResult Frame::checkAlive(Operation &op, const Range &range) {
  for (int64_t i = range.begin; i < range.end; ++i)
    if (owner[i] != range.writer)
      return op.emitOpError("reads byte ")
             << i << " of the arena, which a later launch has overwritten";
  return success();
}

/// The value's bytes lie there now.
void Frame::write(Value value, int64_t begin, int64_t bytes) { ranges[value] = take(begin, bytes); }

Frame::Range Frame::take(int64_t begin, int64_t bytes) {
  ++writes;
  if (owner.size() < static_cast<size_t>(begin + bytes))
    owner.resize(begin + bytes, 0);
  std::fill(owner.begin() + begin, owner.begin() + begin + bytes, writes);
  return {begin, begin + bytes, writes};
}

/// The value lies where another does, if that has a place.
void Frame::share(Value value, Value with) {
  auto it = ranges.find(with);
  if (it == ranges.end())
    return void(ranges.erase(value));
  Range range = it->second;
  ranges[value] = range;
}

LogicalResult Frame::place(LaunchOp op, MutableArrayRef<Tensor> results) {
  if (!op.getOffsets())
    return success();
  SmallVector<DimExpr> offsets = op.getOffsetsAttr().getDims();
  for (auto [i, tensor] : llvm::enumerate(results)) {
    Value overwritten;
    if (op.getInPlace()) {
      auto kernel = op->getParentOfType<ModuleOp>().lookupSymbol<KernelOp>(op.getKernel());
      overwritten = op.getOperands()[*kernel.getOverwritten()];
      if (!ranges.count(overwritten))
        return op.emitOpError("overwrites an operand that has no place in the arena");
    }
    std::optional<int64_t> place =
        overwritten ? ranges[overwritten].begin : evaluation.tryValue(offsets[i]);
    if (!place)
      return op.emitOpError("has an offset of unknown value");
    int64_t begin = *place, size = tensor.numElements() * byteSize(tensor.type);
    if (begin < 0)
      continue; // a result of the entry point: not in the arena
    // Kernels write while they read.
    for (Value operand : op.getOperands())
      if (auto it = ranges.find(operand); it != ranges.end() && operand != overwritten &&
                                          it->second.begin < begin + size && begin < it->second.end)
        return op.emitOpError("writes byte ")
               << std::max(begin, it->second.begin) << " of the arena, where an operand lies";
    write(op.getResult(i), begin, size);
    std::vector<uint8_t> bytes(size);
    tensor.toBytes(bytes.data()); // element types are what memory holds
    tensor = Tensor::fromBytes(tensor.type, tensor.shape, bytes.data());
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult Frame::launch(LaunchOp op) {
  auto kernel = op->getParentOfType<ModuleOp>().lookupSymbol<KernelOp>(op.getKernel());
  SmallVector<Tensor> arguments;
  for (Value v : op.getOperands())
    arguments.push_back(values[v]);
  Frame inner(evaluation, after, states);
  FailureOr<SmallVector<Tensor>> results = inner.run(kernel, arguments);
  if (failed(results) || failed(place(op, *results)))
    return failure();
  for (auto [value, tensor] : llvm::zip(op.getResults(), *results))
    values[value] = std::move(tensor);
  return success();
}

LogicalResult Frame::getState(GetStateOp op) {
  auto known = states.find(op.getState());
  if (known == states.end()) {
    auto state = op->getParentOfType<ModuleOp>().lookupSymbol<StateOp>(op.getState());
    FailureOr<Tensor> first = initialState(state);
    if (failed(first))
      return failure();
    known = states.emplace(op.getState().str(), std::move(*first)).first;
  }
  values[op] = known->second;
  if (op->getParentOfType<FunctionOpInterface>()->hasAttr("kiln.arena")) {
    auto [place, isNew] = statePlaces.try_emplace(op.getState().str(), nextStatePlace);
    if (isNew) {
      nextStatePlace += bytesOf(op);
      write(op, place->second, bytesOf(op));
    }
  }
  return success();
}

/// The memory changes behind the function's results, which may be old values.
LogicalResult Frame::setState(SetStateOp op) {
  states[op.getState().str()] = values[op.getValue()];
  return success();
}

LogicalResult Frame::bind(BindOp op) {
  int64_t value = values[op.getCount()].ints[0];
  std::optional<int64_t> most = evaluation.tryValue(op.getMost().getDims()[0]);
  if (!most || value < 0 || value > *most)
    return op.emitError(op.getSubject() + ": expected from 0 to " +
                        op.getMost().getDims()[0].str() + ", got " + Twine(value));
  evaluation.dims[op.getSymbol().str()] = value;
  auto function = op->getParentOfType<FunctionOpInterface>();
  for (RequirementAttr attr : declaredRequirements(function)) {
    Requirement requirement = attr.getRequirement();
    std::optional<int64_t> got = evaluation.tryValue(requirement.got),
                           expected = evaluation.tryValue(requirement.expected);
    if (got && expected && isNeeded(requirement, evaluation) &&
        !holds(*got, requirement.relation, *expected))
      return mlir::emitError(attr.getLoc(), requirement.text());
  }
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
  if (auto get = dyn_cast<GetStateOp>(op))
    return getState(get);
  if (auto set = dyn_cast<SetStateOp>(op))
    return setState(set);
  if (auto bound = dyn_cast<BindOp>(op))
    return bind(bound);
  if (auto control = dyn_cast<ScanOp>(op))
    return scan(control);
  if (auto control = dyn_cast<WhileOp>(op))
    return loop(control);
  if (auto control = dyn_cast<IfOp>(op))
    return branch(control);
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
    share(op.getResult(0), op.getOperand(0));
  return success();
}

/// Values of the block are dropped after their last use: a big network's intermediates do not fit
/// otherwise.
LogicalResult Frame::runBlock(Block &block) {
  // In a loop's next round a dimension has no value again until it is bound.
  block.walk([&](BindOp op) { evaluation.dims.erase(op.getSymbol().str()); });
  DenseMap<Value, Operation *> lastUse;
  block.walk([&](Operation *op) {
    for (Value v : op->getOperands())
      if (v.getParentBlock() == &block)
        lastUse[v] = block.findAncestorOpInBlock(*op);
  });
  DenseMap<Operation *, SmallVector<Value>> dying;
  for (auto [value, op] : lastUse)
    dying[op].push_back(value);
  for (Operation &op : block.without_terminator()) {
    if (failed(execute(op)))
      return failure();
    for (Value v : dying.lookup(&op))
      values.erase(v);
  }
  for (Value v : block.getTerminator()->getOperands())
    if (failed(checkAlive(*block.getTerminator(), v)))
      return failure();
  return success();
}

FailureOr<SmallVector<Tensor>> Frame::run(FunctionOpInterface function,
                                          ArrayRef<Tensor> arguments) {
  Block &body = function.getFunctionBody().front();
  if (auto arena = function->getAttrOfType<DimsAttr>("kiln.arena"))
    nextStatePlace = evaluation.tryValue(arena.getDims()[0]).value_or(0);
  for (auto [value, tensor] : llvm::zip(body.getArguments(), arguments))
    values[value] = tensor;
  if (failed(runBlock(body)))
    return failure();
  SmallVector<Tensor> results;
  for (Value v : body.getTerminator()->getOperands())
    results.push_back(values[v]);
  return results;
}
