//===- Host.h - from a Program to the host module and header ----*- C++ -*-===//
#ifndef KILN_CODEGEN_HOST_HOST_H
#define KILN_CODEGEN_HOST_HOST_H

#include "codegen/host/Device.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace kiln::host {

/// A processor that kernels are compiled for, or a device.
struct Target {
  std::string name;     ///< "x86-64-v3": shown to users, and the suffix of symbols
  std::string cpu;      ///< LLVM's target-cpu
  std::string features; ///< LLVM's target-features ("+avx2,-avx512f"), beyond the cpu's
  /// Of a device; its entry bodies run on the plainest processor, which `cpu` then names.
  std::shared_ptr<const DeviceCode> device = nullptr;
};

/// KILN_CPU_* bits that code for a target needs.
uint64_t requiredFeatures(const Target &target);

/// The name of a kernel's function compiled for a target.
std::string kernelSymbol(llvm::StringRef kernel, const Target &target);

/// The name of a packed weight in the weights object.
std::string weightSymbol(const Program &program, size_t index);

/// Names of the max_NAME options: every dimension of every entry, once, in order.
std::vector<std::string> maxima(const Program &program);

/// Whether names and indices are such that a host module and a header can be made.
llvm::Error check(const Program &program);

/// Builds the host module: descriptors, typed entry functions, entry bodies for each target (the
/// plainest first). It refers to kernels, weights and the runtime by name. `reflection` is the
/// name of the exported description. The program has passed check().
std::unique_ptr<llvm::Module> emitHost(llvm::LLVMContext &context, const Program &program,
                                       llvm::ArrayRef<Target> targets, llvm::StringRef reflection);

/// The C header of the library, complete in itself.
std::string writeHeader(const Program &program, bool isForDevice);

/// Whether one of them is for a device: then calls can be queued.
bool computesOnDevice(llvm::ArrayRef<Target> targets);

} // namespace kiln::host

#endif // KILN_CODEGEN_HOST_HOST_H
