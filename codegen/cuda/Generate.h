//===- Generate.h - kernels for NVIDIA GPUs --------------------*- C++ -*-===//
//
// The CUDA generator: takes any well-formed KernelSpec and gives PTX, with what the host must do to
// run it: device memory to lend and launches in order.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_CUDA_GENERATE_H
#define KILN_CODEGEN_CUDA_GENERATE_H

#include "codegen/host/Device.h"
#include "codegen/spec/KernelSpec.h"

#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

#include <string_view>

namespace kiln::cuda {

/// Chips that can be asked for (rows of ir/target), as LLVM and ptxas name them; the plainest
/// first.
std::vector<std::string_view> chips();

/// What functions are made of on every chip.
inline constexpr spec::MathSupport mathSupport{.hasMulAdd = true, .hasLdexp = false};

/// One launch; its extents are formulas over the spec's symbols. A grid of 0 blocks is left out.
struct DeviceLaunch {
  std::string name; ///< of the entry point in the module
  DimExpr blocks;   ///< in x; 1 in y and z
  int threads = 0;  ///< of a block, in x
  /// Shared memory that the launch asks for: bytes of the variable "NAME_tile" of no size.
  int64_t sharedBytes = 0;
  /// Whose maps are the launch's last arguments, 128 bytes each.
  std::vector<host::DeviceTensor> tensors;
};

/// What running a kernel takes. Every launch takes the same arguments: a device pointer for each
/// operand of the spec, then for each piece of scratch memory (aligned to 256 bytes), then each
/// symbol as int64_t; some take maps of tensors besides.
struct DeviceNeeds {
  std::vector<DeviceLaunch> launches; ///< in order, each behind the end of the one before
  std::vector<DimExpr> scratchBytes;
  std::string missed; ///< why it has no fast form, or a contraction in it; empty if all have
};

/// The same without making the code.
DeviceNeeds deviceNeeds(const spec::KernelSpec &spec, llvm::StringRef chip, llvm::StringRef symbol);

struct DeviceModule : DeviceNeeds {
  /// Optimised, as NVPTX takes it but for calls of products by warpgroups.
  std::unique_ptr<llvm::Module> code;
  std::string plan; ///< text for people
};

struct DeviceKernel : DeviceNeeds {
  std::string ptx;
  std::string plan;
};

/// What may follow another kernel's PTX in one module: the head (version, target, address size)
/// comes once.
llvm::StringRef withoutHead(llvm::StringRef ptx);
/// Adds a kernel's PTX to a module, which keeps the head of the later version.
void append(std::string &image, llvm::StringRef ptx);

/// The kernel before it is PTX. The spec is verified first; functions are expanded here. Equal
/// arguments give equal code. Thread-safe.
llvm::Expected<DeviceModule> makeDeviceModule(const spec::KernelSpec &spec, llvm::StringRef chip,
                                              llvm::StringRef symbol, llvm::LLVMContext &context);
llvm::Expected<DeviceKernel> generateCUDA(const spec::KernelSpec &spec, llvm::StringRef chip,
                                          llvm::StringRef symbol);

} // namespace kiln::cuda

#endif // KILN_CODEGEN_CUDA_GENERATE_H
