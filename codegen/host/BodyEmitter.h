//===- BodyEmitter.h - the body of one entry point --------------*- C++ -*-===//
#ifndef KILN_CODEGEN_HOST_BODYEMITTER_H
#define KILN_CODEGEN_HOST_BODYEMITTER_H

#include "codegen/host/Descriptor.h"
#include "codegen/host/Formula.h"
#include "codegen/host/Host.h"

namespace kiln::host {

/// Emits the body of one entry point for one target.
class BodyEmitter {
public:
  BodyEmitter(llvm::Module &module, Descriptor &descriptor, const Program &program,
              const EntryPoint &entry, const Target &target)
      : module(module), descriptor(descriptor), program(program), entry(entry), target(target),
        builder(module.getContext()) {}

  llvm::Function *emit();

private:
  void prepare();
  void emitSteps(const std::vector<Launch> &steps, unsigned &number);
  void emitLaunch(const Launch &launch, unsigned number);
  // EmitControl.cpp
  void emitControl(const Launch &step, unsigned &number);
  void emitRounds(llvm::Value *limit, const Launch &step, unsigned &number);
  void emitBind(const Launch &bind, unsigned number);
  void emitLateCheck(unsigned check, unsigned number);
  void emitAnnouncement(unsigned dimension);
  llvm::Value *hostValue(const BufferRef &buffer, llvm::Type *type, unsigned number);
  void emitKernelCall(const Launch &launch, unsigned number);
  void attend(unsigned number);
  void returnIfFailed(llvm::Value *status, unsigned number);
  llvm::Value *pointer(const BufferRef &buffer);
  llvm::Value *dimensionArray(llvm::ArrayRef<DimExpr> dims);
  llvm::Value *contextField(llvm::Type *type, size_t offset);
  // EmitDevice.cpp: what differs where a device computes.
  void moveToDevice();
  void emitDeviceSteps(unsigned &number);
  void moveFromDevice(unsigned number);
  void emitDeviceLaunch(const Launch &launch, unsigned number);
  size_t roomBehindBuffers(const Launch &launch) const;
  void emitTensor(const DeviceTensor &tensor, const DimValues &values, size_t at);
  void emitGrids(const Launch &launch, unsigned number);
  llvm::Value *onDevice(const DimExpr &offset);
  void callDevice(llvm::StringRef function, llvm::ArrayRef<llvm::Value *> arguments,
                  unsigned number);
  llvm::BasicBlock *block(const llvm::Twine &name) {
    return llvm::BasicBlock::Create(module.getContext(), name, function);
  }

  llvm::Module &module;
  Descriptor &descriptor;
  const Program &program;
  const EntryPoint &entry;
  const Target &target;
  llvm::IRBuilder<> builder;
  llvm::Function *function = nullptr;
  llvm::BasicBlock *failed = nullptr;
  llvm::PHINode *failedStatus = nullptr, *failedNumber = nullptr;
  llvm::Value *arena = nullptr, *weights = nullptr, *state = nullptr, *bufs = nullptr,
              *decided = nullptr, ///< what a device has decided
                  *dims = nullptr;
  DimValues dimValues;
  DeviceLayout layout;                   ///< of a device
  std::vector<const DeviceGrid *> grids; ///< of the device's image
};

} // namespace kiln::host

#endif // KILN_CODEGEN_HOST_BODYEMITTER_H
