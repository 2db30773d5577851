//===- FrameControl.cpp - loops and branches ------------------------------===//
//
// By their definitions. After `plan`, what a round or branch hands on is copied to the places that
// the op's `offsets` give, unless it has been made there.
//
//===----------------------------------------------------------------------===//

#include "ir/Frame.h"

#include "ir/ops/Common.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

int64_t Frame::bytesOf(Value value) {
  const Tensor &tensor = values[value];
  return tensor.numElements() * byteSize(tensor.type);
}

/// Entry `index` of the op's offsets; nothing before `plan` or outside of the arena.
std::optional<int64_t> Frame::placeOf(Operation *op, unsigned index) const {
  auto offsets = op->getAttrOfType<DimsAttr>("offsets");
  std::optional<int64_t> place =
      offsets ? evaluation.tryValue(offsets.getDims()[index]) : std::nullopt;
  return place && *place >= 0 ? place : std::nullopt;
}

/// A new entry may move all others.
void Frame::copy(Value to, Value from) {
  Tensor tensor = values[from];
  values[to] = std::move(tensor);
}

/// The carried values of the first round.
LogicalResult Frame::enterLoop(Operation *op, ValueRange initial, ValueRange carried) {
  for (auto [i, value] : llvm::enumerate(carried)) {
    copy(value, initial[i]);
    if (std::optional<int64_t> place = placeOf(op, i))
      write(value, *place, bytesOf(value));
    else
      share(value, initial[i]); // a state stays in its place
  }
  return success();
}

/// Hands on what a round has yielded. A yielded value that is another carried one waits at a place
/// of its own until the others have been written.
LogicalResult Frame::nextRound(Operation *op, ValueRange carried, ValueRange next) {
  Operation &end = *op->getRegions().back().front().getTerminator();
  SmallVector<Tensor> tensors;
  for (Value value : next)
    tensors.push_back(values[value]);
  SmallVector<std::optional<Range>> waiting(carried.size());
  unsigned place = op->getNumResults();
  for (unsigned i = 0; i < carried.size(); ++i)
    if (waits(carried, next[i], i))
      if (std::optional<int64_t> at = placeOf(op, place++))
        waiting[i] = take(*at, bytesOf(next[i]));
  for (bool second : {false, true})
    for (unsigned i = 0; i < carried.size(); ++i) {
      std::optional<int64_t> at = placeOf(op, i);
      if (second != waiting[i].has_value())
        continue;
      values[carried[i]] = std::move(tensors[i]);
      if (auto state = ranges.find(carried[i]); !at && state != ranges.end())
        at = state->second.begin;
      if (!at)
        continue;
      if (failed(second ? checkAlive(end, *waiting[i]) : checkAlive(end, next[i])))
        return failure();
      auto made = ranges.find(next[i]);
      if (!second && made != ranges.end() && made->second.begin == *at)
        share(carried[i], next[i]);
      else
        write(carried[i], *at, bytesOf(carried[i]));
    }
  return success();
}

LogicalResult Frame::scan(ScanOp op) {
  int64_t rounds = *evaluation.tryValue(op.getRounds());
  SmallVector<Value> carried(op.getCarried());
  if (failed(enterLoop(op, op.getInitial(), carried)))
    return failure();
  unsigned stacks = op.getNumStacks();
  for (unsigned i = 0; i < stacks; ++i) {
    Value stack = op.getResult(i);
    values[stack] = Tensor(*dtypeOf(stack.getType()), evaluation.values(dimsOf(stack.getType())));
    if (std::optional<int64_t> place = placeOf(op, carried.size() + i))
      write(stack, *place, bytesOf(stack));
  }
  // A copy: values of the body come and go in the map.
  SmallVector<Tensor> sequences;
  for (Value sequence : op.getSequences())
    sequences.push_back(values[sequence]);
  for (int64_t round = 0; round < rounds; ++round) {
    int64_t at = op.getReverse() ? rounds - 1 - round : round;
    for (auto [i, element] : llvm::enumerate(op.getElements())) {
      Tensor slice(sequences[i].type, ArrayRef(sequences[i].shape).drop_front());
      for (int64_t n = slice.numElements(), k = 0; k < n; ++k)
        copyElement(sequences[i], at * n + k, slice, k);
      values[element] = std::move(slice);
      share(element, op.getSequences()[i]);
      if (failed(checkAlive(*op, element)))
        return failure();
    }
    if (failed(runBlock(op.getBody().front())))
      return failure();
    for (unsigned i = 0; i < stacks; ++i) {
      const Tensor &slice = values[op.getYielded()[i]];
      for (int64_t n = slice.numElements(), k = 0; k < n; ++k)
        copyElement(slice, k, values[op.getResult(i)], at * n + k);
    }
    if (failed(nextRound(op, carried, op.getNext())))
      return failure();
  }
  for (auto [result, value] : llvm::zip(op.getFinals(), carried)) {
    copy(result, value);
    share(result, value);
  }
  return success();
}

LogicalResult Frame::loop(WhileOp op) {
  int64_t limit = values[op.getLimit()].ints[0];
  SmallVector<Value> carried(op.getCarried());
  if (failed(enterLoop(op, op.getInitial(), carried)))
    return failure();
  for (int64_t round = 0; round < limit; ++round) {
    for (auto [argument, value] : llvm::zip(op.getCondition().getArguments(), carried)) {
      copy(argument, value);
      share(argument, value);
    }
    if (failed(runBlock(op.getCondition().front())))
      return failure();
    if (!values[op.getDecision()].ints[0])
      break;
    if (failed(runBlock(op.getBody().front())) || failed(nextRound(op, carried, op.getNext())))
      return failure();
  }
  for (auto [result, value] : llvm::zip(op.getResults(), carried)) {
    copy(result, value);
    share(result, value);
  }
  return success();
}

LogicalResult Frame::branch(IfOp op) {
  Region &taken = values[op.getCondition()].ints[0] ? op.getThenBody() : op.getElseBody();
  if (failed(runBlock(taken.front())))
    return failure();
  for (auto [i, value] : llvm::enumerate(taken.front().getTerminator()->getOperands())) {
    Value result = op.getResult(i);
    copy(result, value);
    std::optional<int64_t> place = placeOf(op, i);
    auto made = ranges.find(value);
    if (place && made != ranges.end() && made->second.begin == *place)
      share(result, value);
    else if (place)
      write(result, *place, bytesOf(result));
  }
  return success();
}
