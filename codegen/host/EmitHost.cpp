//===- EmitHost.cpp - entry points of a model as LLVM IR ------------------===//
//
// A typed entry function packs its arguments and hands them to the runtime, which checks them and
// calls the body for this processor. A body walks the launches in order; each is a load of the
// attention word, pointers made of arena, arguments and weights, and a call.
//
//===----------------------------------------------------------------------===//
#include "codegen/host/BodyEmitter.h"
#include "runtime/Abi.h"

#include "llvm/IR/MDBuilder.h"

using namespace llvm;

namespace kiln::host {

Value *BodyEmitter::contextField(Type *type, size_t offset) {
  Value *place = builder.CreateConstGEP1_64(builder.getInt8Ty(), function->getArg(0), offset);
  return builder.CreateLoad(type, place);
}

Function *BodyEmitter::emit() {
  Type *ptr = builder.getPtrTy();
  auto *type = FunctionType::get(builder.getInt32Ty(), {ptr, ptr, ptr}, false);
  function = Function::Create(type, GlobalValue::InternalLinkage,
                              "body." + entry.name + "." + target.name, module);
  function->addFnAttr("target-cpu", target.cpu);
  if (!target.features.empty())
    function->addFnAttr("target-features", target.features);
  prepare();
  unsigned number = 0;
  if (target.device) {
    moveToDevice();
    emitDeviceSteps(number);
    moveFromDevice(number);
  } else {
    emitSteps(entry.launches, number);
  }
  attend(number);
  builder.CreateRet(builder.getInt32(KILN_OK));
  return function;
}

void BodyEmitter::emitSteps(const std::vector<Launch> &steps, unsigned &number) {
  for (const Launch &step : steps)
    if (step.isControl())
      emitControl(step, number);
    else
      emitLaunch(step, number++);
}

/// Memory for a launch's arguments, the fields of the context, the dimensions, and the way out.
void BodyEmitter::prepare() {
  Type *ptr = builder.getPtrTy();
  builder.SetInsertPoint(block("entry"));
  size_t mostBuffers = 1, mostDims = 1;
  forEachLaunch(entry.launches, [&](const Launch &launch) {
    size_t buffers = launch.buffers.size();
    if (target.device && launch.kind == Launch::Kind::Kernel)
      buffers += launch.dims.size() + roomBehindBuffers(launch);
    mostBuffers = std::max(mostBuffers, buffers);
    mostDims = std::max(mostDims, launch.dims.size());
  });
  bufs = builder.CreateAlloca(ArrayType::get(ptr, mostBuffers));
  dims = builder.CreateAlloca(ArrayType::get(builder.getInt64Ty(), mostDims));
  decided = builder.CreateAlloca(builder.getInt64Ty());
  arena = contextField(ptr, offsetof(kiln_ctx, arena));
  weights = contextField(ptr, offsetof(kiln_ctx, weights));
  state = contextField(ptr, offsetof(kiln_ctx, state));
  for (size_t i = 0; i < entry.dimensions.size(); ++i) {
    Value *place = builder.CreateConstGEP1_64(builder.getInt64Ty(), function->getArg(2), i);
    dimValues[entry.dimensions[i].name] = builder.CreateLoad(builder.getInt64Ty(), place);
  }
  failed = block("failed");
  {
    IRBuilder<>::InsertPointGuard guard(builder);
    builder.SetInsertPoint(failed);
    failedStatus = builder.CreatePHI(builder.getInt32Ty(), 2);
    failedNumber = builder.CreatePHI(builder.getInt32Ty(), 2);
    builder.CreateStore(failedNumber,
                        builder.CreateConstGEP1_64(builder.getInt8Ty(), function->getArg(0),
                                                   offsetof(kiln_ctx, failedLaunch)));
    builder.CreateRet(failedStatus);
  }
}

void BodyEmitter::returnIfFailed(Value *status, unsigned number) {
  BasicBlock *next = block("next");
  failedStatus->addIncoming(status, builder.GetInsertBlock());
  failedNumber->addIncoming(builder.getInt32(number), builder.GetInsertBlock());
  builder.CreateCondBr(builder.CreateIsNotNull(status), failed, next,
                       MDBuilder(module.getContext()).createUnlikelyBranchWeights());
  builder.SetInsertPoint(next);
}

void BodyEmitter::attend(unsigned number) {
  Value *place = builder.CreateConstGEP1_64(builder.getInt8Ty(), function->getArg(0),
                                            offsetof(kiln_ctx, attention));
  LoadInst *attention = builder.CreateLoad(builder.getInt32Ty(), place);
  attention->setAtomic(AtomicOrdering::Monotonic);
  attention->setAlignment(Align(4));
  BasicBlock *asked = block("asked"), *run = block("run");
  builder.CreateCondBr(builder.CreateIsNotNull(attention), asked, run,
                       MDBuilder(module.getContext()).createUnlikelyBranchWeights());
  builder.SetInsertPoint(asked);
  auto runtime = module.getOrInsertFunction("kiln_rt_attend", builder.getInt32Ty(),
                                            builder.getPtrTy(), builder.getInt32Ty());
  returnIfFailed(builder.CreateCall(runtime, {function->getArg(0), builder.getInt32(number)}),
                 number);
  builder.CreateBr(run);
  builder.SetInsertPoint(run);
}

Value *BodyEmitter::pointer(const BufferRef &buffer) {
  auto element = [&](Value *table, size_t index) {
    Type *ptr = builder.getPtrTy();
    return builder.CreateLoad(ptr, builder.CreateConstGEP1_64(ptr, table, index));
  };
  Value *base = arena;
  int64_t stateOffset = 0;
  switch (buffer.kind) {
  case BufferRef::Kind::Argument:
    if (target.device)
      return onDevice(layout.arguments[buffer.index] + buffer.offset);
    base = element(function->getArg(1), buffer.index);
    break;
  case BufferRef::Kind::Result:
    if (target.device)
      return onDevice(layout.results[buffer.index] + buffer.offset);
    base = element(function->getArg(1), entry.arguments.size() + buffer.index);
    break;
  case BufferRef::Kind::Weight:
    base = element(weights, buffer.index);
    break;
  case BufferRef::Kind::State:
    base = state;
    for (unsigned i = 0; i < buffer.index; ++i)
      stateOffset += (program.states[i].bytes + 63) & ~int64_t(63);
    break;
  case BufferRef::Kind::Arena:
    break;
  }
  DimExpr offset = buffer.offset + DimExpr(stateOffset);
  if (offset == DimExpr(0))
    return base;
  return builder.CreateGEP(builder.getInt8Ty(), base, emitDimExpr(builder, offset, dimValues));
}

Value *BodyEmitter::dimensionArray(ArrayRef<DimExpr> exprs) {
  if (all_of(exprs, [](const DimExpr &expr) { return expr.isConstant(); })) {
    std::vector<Constant *> values;
    for (const DimExpr &expr : exprs)
      values.push_back(builder.getInt64(uint64_t(*expr.constantValue())));
    return descriptor.array(values, "dims");
  }
  for (size_t i = 0; i < exprs.size(); ++i)
    builder.CreateStore(emitDimExpr(builder, exprs[i], dimValues),
                        builder.CreateConstGEP1_64(builder.getInt64Ty(), dims, i));
  return dims;
}

void BodyEmitter::emitKernelCall(const Launch &launch, unsigned number) {
  Type *ptr = builder.getPtrTy();
  for (size_t i = 0; i < launch.buffers.size(); ++i)
    builder.CreateStore(pointer(launch.buffers[i]), builder.CreateConstGEP1_64(ptr, bufs, i));
  Value *dimensions = dimensionArray(launch.dims);
  auto kernel = module.getOrInsertFunction(kernelSymbol(launch.kernel, target),
                                           builder.getInt32Ty(), ptr, ptr, ptr);
  returnIfFailed(builder.CreateCall(kernel, {function->getArg(0), bufs, dimensions}), number);
}

void BodyEmitter::emitLaunch(const Launch &launch, unsigned number) {
  attend(number);
  if (launch.kind == Launch::Kind::Bind)
    return emitBind(launch, number);
  if (target.device)
    return emitDeviceLaunch(launch, number);
  if (launch.kind == Launch::Kind::Kernel)
    return emitKernelCall(launch, number);
  if (launch.kind == Launch::Kind::Assert) {
    Value *isTrue = builder.CreateIsNotNull(
        builder.CreateLoad(builder.getInt8Ty(), pointer(launch.buffers[0])));
    return returnIfFailed(builder.CreateSelect(isTrue, builder.getInt32(KILN_OK),
                                               builder.getInt32(KILN_INDEX_OUT_OF_RANGE)),
                          number);
  }
  Value *source = pointer(launch.buffers[0]), *destination = pointer(launch.buffers[1]);
  builder.CreateMemCpy(destination, MaybeAlign(), source, MaybeAlign(),
                       emitDimExpr(builder, launch.dims[0], dimValues));
}

/// An exported function that hands its arguments to a function of the runtime.
static void emitForward(Module &module, const Twine &name, StringRef runtimeName, Type *result,
                        ArrayRef<Type *> parameters) {
  auto *type = FunctionType::get(result, parameters, false);
  auto *function = Function::Create(type, GlobalValue::ExternalLinkage, name, module);
  IRBuilder<> builder(BasicBlock::Create(module.getContext(), "", function));
  SmallVector<Value *> arguments;
  for (Argument &argument : function->args())
    arguments.push_back(&argument);
  CallInst *call = builder.CreateCall(type, module.getFunction(runtimeName), arguments);
  if (result->isVoidTy())
    builder.CreateRetVoid();
  else
    builder.CreateRet(call);
}

static void emitCommonFunctions(Module &module, const Program &program, bool isForDevice) {
  LLVMContext &context = module.getContext();
  Type *ptr = PointerType::getUnqual(context), *i32 = Type::getInt32Ty(context);
  Type *i64 = Type::getInt64Ty(context), *none = Type::getVoidTy(context);
  std::string prefix = program.modelName + "_";
  emitForward(module, prefix + "create", "model_create", i32, {ptr, ptr});
  emitForward(module, prefix + "destroy", "kiln_rt_destroy", none, {ptr});
  emitForward(module, prefix + "last_error", "kiln_rt_last_error", ptr, {ptr});
  emitForward(module, prefix + "reset", "kiln_rt_reset", i32, {ptr});
  emitForward(module, prefix + "cancel", "kiln_rt_cancel", none, {ptr});
  emitForward(module, prefix + "state_get", "kiln_rt_state_get", i32, {ptr, ptr, ptr});
  emitForward(module, prefix + "state_set", "kiln_rt_state_set", i32, {ptr, ptr, i64});
  if (isForDevice)
    emitForward(module, prefix + "wait", "kiln_rt_wait", i32, {ptr});
}

/// MODEL_ENTRY(model, dimensions…, arguments…, results…), by a function of the runtime.
static void emitEntryFunction(Module &module, const Program &program, const EntryPoint &entry,
                              unsigned number, const Twine &suffix, StringRef runtime) {
  IRBuilder<> builder(module.getContext());
  Type *ptr = builder.getPtrTy(), *i64 = builder.getInt64Ty();
  size_t numDims = entry.dimensions.size();
  size_t numTensors = entry.arguments.size() + entry.results.size(), numPlaces = 0;
  SmallVector<Type *> parameters = {ptr};
  for (const Dimension &dimension : entry.dimensions) {
    parameters.push_back(i64);
    if (dimension.isData)
      parameters.push_back(ptr), ++numPlaces;
  }
  parameters.append(numTensors, ptr);
  auto *type = FunctionType::get(builder.getInt32Ty(), parameters, false);
  auto *function = Function::Create(type, GlobalValue::ExternalLinkage,
                                    program.modelName + "_" + entry.name + suffix, module);
  builder.SetInsertPoint(BasicBlock::Create(module.getContext(), "", function));
  Value *dims = builder.CreateAlloca(ArrayType::get(i64, std::max<size_t>(numDims, 1)));
  Value *bufs =
      builder.CreateAlloca(ArrayType::get(ptr, std::max<size_t>(numTensors + numPlaces, 1)));
  unsigned next = 1;
  size_t place = numTensors; // behind the tensors: where numbers of data dimensions go
  for (size_t i = 0; i < numDims; ++i) {
    builder.CreateStore(function->getArg(next++), builder.CreateConstGEP1_64(i64, dims, i));
    if (entry.dimensions[i].isData)
      builder.CreateStore(function->getArg(next++), builder.CreateConstGEP1_64(ptr, bufs, place++));
  }
  for (size_t i = 0; i < numTensors; ++i)
    builder.CreateStore(function->getArg(next++), builder.CreateConstGEP1_64(ptr, bufs, i));
  auto *callType =
      FunctionType::get(builder.getInt32Ty(), {ptr, builder.getInt32Ty(), ptr, ptr}, false);
  builder.CreateRet(
      builder.CreateCall(callType, module.getFunction(runtime),
                         {function->getArg(0), builder.getInt32(number), dims, bufs}));
}

std::unique_ptr<Module> emitHost(LLVMContext &context, const Program &program,
                                 ArrayRef<Target> targets, StringRef reflection) {
  auto module = std::make_unique<Module>(program.modelName, context);
  Descriptor descriptor(*module, program);
  std::vector<std::vector<Function *>> bodies;
  for (const Target &target : targets) {
    bodies.emplace_back();
    for (const EntryPoint &entry : program.entries)
      bodies.back().push_back(BodyEmitter(*module, descriptor, program, entry, target).emit());
  }
  descriptor.emit(targets, bodies, reflection);
  bool isForDevice = computesOnDevice(targets);
  emitCommonFunctions(*module, program, isForDevice);
  for (unsigned i = 0; i < program.entries.size(); ++i) {
    emitEntryFunction(*module, program, program.entries[i], i, "", "kiln_rt_call");
    if (isForDevice)
      emitEntryFunction(*module, program, program.entries[i], i, "_enqueue", "kiln_rt_enqueue");
  }
  return module;
}

} // namespace kiln::host
