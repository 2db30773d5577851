//===- EmitControl.cpp - loops and branches of a body ---------------------===//
//
// They run on the processor, also where a device computes: only what decides is read back.
//
//===----------------------------------------------------------------------===//
#include "codegen/host/BodyEmitter.h"

using namespace llvm;

namespace kiln::host {

/// The element at a place, in the processor's memory.
Value *BodyEmitter::hostValue(const BufferRef &buffer, Type *type, unsigned number) {
  Value *place = pointer(buffer);
  if (target.device) {
    Value *bytes = builder.getInt64(module.getDataLayout().getTypeStoreSize(type));
    callDevice("kiln_device_fetch", {decided, place, bytes}, number);
    place = decided;
  }
  return builder.CreateLoad(type, place);
}

/// The body, as often as the limit says; with a condition, as long as that holds too.
void BodyEmitter::emitRounds(Value *limit, const Launch &step, unsigned &number) {
  BasicBlock *before = builder.GetInsertBlock(), *head = block("head"), *body = block("body"),
             *end = block("end");
  builder.CreateBr(head);
  builder.SetInsertPoint(head);
  PHINode *round = builder.CreatePHI(builder.getInt64Ty(), 2);
  round->addIncoming(builder.getInt64(0), before);
  builder.CreateCondBr(builder.CreateICmpSLT(round, limit), body, end);
  builder.SetInsertPoint(body);
  if (step.kind == Launch::Kind::While) {
    emitSteps(step.condition, number);
    BasicBlock *holds = block("holds");
    Value *decision = hostValue(step.buffers[0], builder.getInt8Ty(), number);
    builder.CreateCondBr(builder.CreateIsNotNull(decision), holds, end);
    builder.SetInsertPoint(holds);
  } else {
    dimValues[step.symbol] = round;
  }
  emitSteps(step.body, number);
  round->addIncoming(builder.CreateAdd(round, builder.getInt64(1)), builder.GetInsertBlock());
  builder.CreateBr(head);
  builder.SetInsertPoint(end);
  dimValues.erase(step.symbol);
}

void BodyEmitter::emitControl(const Launch &step, unsigned &number) {
  switch (step.kind) {
  case Launch::Kind::Loop:
    return emitRounds(emitDimExpr(builder, step.dims[0], dimValues), step, number);
  case Launch::Kind::While:
    return emitRounds(hostValue(step.buffers[1], builder.getInt64Ty(), number), step, number);
  default:
    break;
  }
  Value *decision = hostValue(step.buffers[0], builder.getInt8Ty(), number);
  BasicBlock *yes = block("then"), *no = block("else"), *end = block("end");
  builder.CreateCondBr(builder.CreateIsNotNull(decision), yes, no);
  for (auto [start, steps] : {std::pair(yes, &step.body), std::pair(no, &step.otherwise)}) {
    builder.SetInsertPoint(start);
    emitSteps(*steps, number);
    builder.CreateBr(end);
  }
  builder.SetInsertPoint(end);
}

} // namespace kiln::host
