//===- EmitDevice.cpp - bodies of entry points that a device computes -----===//
//
// Arguments are copied to the device's block, launches are handed to the runtime in order, results
// are copied back. The runtime waits for the device at the end of the call. In such a body the
// context's arena, weights and state are addresses on the device.
//
//===----------------------------------------------------------------------===//
#include "codegen/host/BodyEmitter.h"
#include "runtime/Abi.h"

using namespace llvm;

namespace kiln::host {

void BodyEmitter::callDevice(StringRef name, ArrayRef<Value *> arguments, unsigned number) {
  SmallVector<Value *> all = {function->getArg(0)};
  all.append(arguments.begin(), arguments.end());
  SmallVector<Type *> types;
  for (Value *argument : all)
    types.push_back(argument->getType());
  FunctionCallee callee = module.getOrInsertFunction(
      name, FunctionType::get(builder.getInt32Ty(), types, /*isVarArg=*/false));
  returnIfFailed(builder.CreateCall(callee, all), number);
}

Value *BodyEmitter::onDevice(const DimExpr &offset) {
  return builder.CreateGEP(builder.getInt8Ty(), arena, emitDimExpr(builder, offset, dimValues));
}

void BodyEmitter::moveToDevice() {
  layout = layOut(entry, *target.device);
  grids = gridsOf(*target.device);
  Type *ptr = builder.getPtrTy();
  for (size_t i = 0; i < entry.arguments.size(); ++i) {
    Value *from = builder.CreateLoad(ptr, builder.CreateConstGEP1_64(ptr, function->getArg(1), i));
    Value *bytes = emitDimExpr(builder, bytesOf(entry.arguments[i]), dimValues);
    callDevice("kiln_device_upload", {onDevice(layout.arguments[i]), from, bytes}, 0);
  }
}

/// Whether the processor looks at what a device has computed.
static bool readsBack(const std::vector<Launch> &steps) {
  return any_of(steps, [](const Launch &step) {
    switch (step.kind) {
    case Launch::Kind::Kernel:
    case Launch::Kind::Copy:
      return false;
    case Launch::Kind::Loop:
      return readsBack(step.body);
    default:
      return true;
    }
  });
}

/// Steps that follow from the dimensions alone are announced to the runtime, which may have them as
/// a graph already.
void BodyEmitter::emitDeviceSteps(unsigned &number) {
  if (readsBack(entry.launches))
    return emitSteps(entry.launches, number);
  FunctionCallee begin = module.getOrInsertFunction("kiln_device_begin_steps", builder.getInt32Ty(),
                                                    builder.getPtrTy(), builder.getPtrTy());
  Value *status = builder.CreateCall(begin, {function->getArg(0), function->getArg(2)});
  BasicBlock *steps = block("steps"), *end = block("steps_end");
  Value *isDone = builder.CreateICmpEQ(status, builder.getInt32(uint32_t(KILN_STEPS_DONE)));
  builder.CreateCondBr(isDone, end, steps);
  builder.SetInsertPoint(steps);
  returnIfFailed(status, 0);
  emitSteps(entry.launches, number);
  callDevice("kiln_device_end_steps", {}, number);
  builder.CreateBr(end);
  builder.SetInsertPoint(end);
}

void BodyEmitter::moveFromDevice(unsigned number) {
  Type *ptr = builder.getPtrTy();
  std::map<std::string, DimExpr, std::less<>> dataValues;
  for (const Dimension &dimension : entry.dimensions)
    if (dimension.isData)
      dataValues[dimension.name] = dimension.value;
  for (size_t i = 0; i < entry.results.size(); ++i) {
    Value *to = builder.CreateLoad(
        ptr, builder.CreateConstGEP1_64(ptr, function->getArg(1), entry.arguments.size() + i));
    DimExpr size = bytesOf(entry.results[i]).substitute(dataValues);
    Value *bytes = emitDimExpr(builder, size, dimValues);
    callDevice("kiln_device_download", {to, onDevice(layout.results[i]), bytes}, number);
  }
}

/// What a launch's arguments have besides its buffers and dims, in 64 bits each.
size_t BodyEmitter::roomBehindBuffers(const Launch &launch) const {
  const DeviceKernel &kernel = target.device->kernels.find(launch.kernel)->second;
  size_t tensors = 0;
  for (const DeviceGrid &grid : kernel.grids)
    tensors = std::max(tensors, grid.tensors.size());
  return kernel.scratchBytes.size() + tensors * (sizeof(kiln_device_tensor) / sizeof(int64_t));
}

/// Writes a kiln_device_tensor behind the arguments.
void BodyEmitter::emitTensor(const DeviceTensor &tensor, const DimValues &values, size_t at) {
  auto put = [&](size_t offset, const DimExpr &value) {
    Value *place =
        builder.CreateConstGEP1_64(builder.getInt64Ty(), bufs, at + offset / sizeof(int64_t));
    builder.CreateStore(emitDimExpr(builder, value, values), place);
  };
  put(offsetof(kiln_device_tensor, argument), DimExpr(tensor.argument));
  put(offsetof(kiln_device_tensor, element_bytes), DimExpr(tensor.elementBytes));
  put(offsetof(kiln_device_tensor, rank), DimExpr(int64_t(tensor.extents.size())));
  for (size_t i = 0; i < tensor.extents.size(); ++i) {
    put(offsetof(kiln_device_tensor, extents) + i * sizeof(int64_t), tensor.extents[i]);
    put(offsetof(kiln_device_tensor, box) + i * sizeof(int64_t), DimExpr(tensor.box[i]));
  }
  for (size_t i = 0; i < tensor.strides.size(); ++i)
    put(offsetof(kiln_device_tensor, strides) + i * sizeof(int64_t), tensor.strides[i]);
}

/// Each argument of a grid is 64 bits wide, and all grids of a launch have the same, but for
/// tensors.
void BodyEmitter::emitGrids(const Launch &launch, unsigned number) {
  const DeviceKernel &kernel = target.device->kernels.find(launch.kernel)->second;
  SmallVector<Value *> arguments;
  for (const BufferRef &buffer : launch.buffers)
    arguments.push_back(pointer(buffer));
  DimValues values;
  for (size_t i = 0; i < kernel.symbols.size(); ++i)
    values[kernel.symbols[i]] = emitDimExpr(builder, launch.dims[i], dimValues);
  std::map<std::string, DimExpr, std::less<>> dims;
  for (size_t i = 0; i < kernel.symbols.size(); ++i)
    dims[kernel.symbols[i]] = launch.dims[i];
  DimExpr at = layout.scratch;
  for (const DimExpr &piece : kernel.scratchBytes) {
    arguments.push_back(onDevice(at));
    at = at + alignOnDevice(piece.substitute(dims));
  }
  for (const std::string &symbol : kernel.symbols)
    arguments.push_back(values[symbol]);
  for (size_t i = 0; i < arguments.size(); ++i)
    builder.CreateStore(arguments[i], builder.CreateConstGEP1_64(builder.getInt64Ty(), bufs, i));
  for (const DeviceGrid &grid : kernel.grids) {
    for (size_t i = 0; i < grid.tensors.size(); ++i)
      emitTensor(grid.tensors[i], values,
                 arguments.size() + i * (sizeof(kiln_device_tensor) / sizeof(int64_t)));
    auto index = find(grids, &grid) - grids.begin();
    callDevice("kiln_device_launch",
               {builder.getInt32(number), builder.getInt32(uint32_t(index)),
                emitDimExpr(builder, grid.blocks, values), builder.getInt32(uint32_t(grid.threads)),
                bufs, builder.getInt32(uint32_t(arguments.size())),
                builder.getInt32(uint32_t(grid.tensors.size()))},
               number);
  }
}

void BodyEmitter::emitDeviceLaunch(const Launch &launch, unsigned number) {
  switch (launch.kind) {
  case Launch::Kind::Kernel:
    return emitGrids(launch, number);
  case Launch::Kind::Assert:
    return callDevice("kiln_device_assert", {pointer(launch.buffers[0])}, number);
  case Launch::Kind::Copy:
    return callDevice("kiln_device_copy",
                      {pointer(launch.buffers[1]), pointer(launch.buffers[0]),
                       emitDimExpr(builder, launch.dims[0], dimValues)},
                      number);
  case Launch::Kind::Loop:
  case Launch::Kind::While:
  case Launch::Kind::If:
  case Launch::Kind::Bind:
    break;
  }
  llvm_unreachable("EmitControl emits these");
}

} // namespace kiln::host
