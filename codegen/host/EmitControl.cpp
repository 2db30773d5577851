//===- EmitControl.cpp - loops and branches of a body ---------------------===//
//
// They run on the processor, also where a device computes: only what decides is read back.
//
//===----------------------------------------------------------------------===//
#include "codegen/host/BodyEmitter.h"
#include "runtime/Abi.h"

#include "llvm/IR/MDBuilder.h"

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
  builder.CreateStore(builder.CreateTrunc(round, builder.getInt32Ty()),
                      builder.CreateConstGEP1_64(builder.getInt8Ty(), function->getArg(0),
                                                 offsetof(kiln_ctx, round)));
  emitSteps(step.body, number);
  round->addIncoming(builder.CreateAdd(round, builder.getInt64(1)), builder.GetInsertBlock());
  builder.CreateBr(head);
  builder.SetInsertPoint(end);
  dimValues.erase(step.symbol);
}

/// Hands the numbers to the runtime if they break the check, for its text.
void BodyEmitter::emitLateCheck(unsigned check, unsigned number) {
  const LateCheck &late = entry.lateChecks[check];
  Value *got = emitDimExpr(builder, late.requirement.got, dimValues),
        *expected = emitDimExpr(builder, late.requirement.expected, dimValues);
  CmpInst::Predicate broken = late.requirement.relation == Relation::AtLeast  ? CmpInst::ICMP_SLT
                              : late.requirement.relation == Relation::AtMost ? CmpInst::ICMP_SGT
                                                                              : CmpInst::ICMP_NE;
  BasicBlock *refused = block("refused"), *next = block("held");
  Value *isBroken = builder.CreateICmp(broken, got, expected);
  for (const DimExpr &condition : late.requirement.when) {
    Value *taken = emitDimExpr(builder, condition, dimValues);
    isBroken = builder.CreateAnd(isBroken, builder.CreateICmpSGE(taken, builder.getInt64(0)));
  }
  builder.CreateCondBr(isBroken, refused, next,
                       MDBuilder(module.getContext()).createUnlikelyBranchWeights());
  builder.SetInsertPoint(refused);
  Type *i32 = builder.getInt32Ty(), *i64 = builder.getInt64Ty();
  auto refuse =
      module.getOrInsertFunction("kiln_rt_refuse", i32, builder.getPtrTy(), i32, i64, i64);
  Value *index = builder.getInt32(uint32_t(entry.checks.size() + check));
  returnIfFailed(builder.CreateCall(refuse, {function->getArg(0), index, got, expected}), number);
  builder.CreateBr(next);
  builder.SetInsertPoint(next);
}

/// A dimension's number is stored before its capacity is looked at: a caller that gave too little
/// learns how much is needed.
void BodyEmitter::emitBind(const Launch &bind, unsigned number) {
  dimValues[bind.symbol] = hostValue(bind.buffers[0], builder.getInt64Ty(), number);
  for (unsigned check : bind.checks) {
    if (entry.lateChecks[check].status == KILN_BUFFER_TOO_SMALL)
      for (unsigned dimension : bind.announced)
        if (entry.dimensions[dimension].name == entry.lateChecks[check].requirement.subject)
          emitAnnouncement(dimension);
    emitLateCheck(check, number);
  }
}

void BodyEmitter::emitAnnouncement(unsigned dimension) {
  size_t place = entry.arguments.size() + entry.results.size();
  for (unsigned i = 0; i < dimension; ++i)
    place += entry.dimensions[i].isData;
  Type *ptr = builder.getPtrTy();
  Value *into =
      builder.CreateLoad(ptr, builder.CreateConstGEP1_64(ptr, function->getArg(1), place));
  builder.CreateStore(emitDimExpr(builder, entry.dimensions[dimension].value, dimValues), into);
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
