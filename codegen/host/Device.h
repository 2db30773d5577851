//===- Device.h - the code of a device beside the host's --------*- C++ -*-===//
//
// Plain data: what the host module needs to run a Program on a GPU. There, all tensors of a call
// lie in one block of device memory: the arena of the Program, the arguments and results, which the
// entry's body copies from and to the host, and what kernels need while they run.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_HOST_DEVICE_H
#define KILN_CODEGEN_HOST_DEVICE_H

#include "codegen/host/Program.h"

#include <map>

namespace kiln::host {

/// An operand as a tensor of two or three dimensions, the innermost first, of which a kernel copies
/// boxes. The formulas are over the kernel's symbols.
struct DeviceTensor {
  unsigned argument = 0; ///< position among the launch's pointers
  int elementBytes = 0;
  std::vector<DimExpr> extents, strides; ///< in bytes, of all dimensions but the innermost
  std::vector<int> box;
};

/// One grid of a kernel; the formula is over the kernel's symbols.
struct DeviceGrid {
  std::string function;              ///< entry point in the image
  DimExpr blocks;                    ///< 0: nothing to launch
  int threads = 0;                   ///< of a block
  int64_t sharedBytes = 0;           ///< that the launch asks for
  std::vector<DeviceTensor> tensors; ///< whose maps are arguments behind all others
};

/// How a Launch's kernel runs on the device: its grids in order, each with the pointers of the
/// launch's buffers, then those of the scratch memory, then the launch's dims.
struct DeviceKernel {
  std::vector<std::string> symbols; ///< names of the launch's dims in the formulas
  std::vector<DeviceGrid> grids;
  std::vector<DimExpr> scratchBytes;
};

/// All kernels of a Program for one chip.
struct DeviceCode {
  int capability = 0;   ///< that the image asks for
  bool isExact = false; ///< no later one will do
  std::string image;    ///< PTX
  std::string cubin;    ///< its machine code for the same capability; empty: none
  std::map<std::string, DeviceKernel, std::less<>> kernels; ///< by Launch::kernel
};

/// The grids whose functions the image has, by whose positions the body launches them.
std::vector<const DeviceGrid *> gridsOf(const DeviceCode &code);

/// Bytes from the start of the device's block, over the entry's dimensions.
struct DeviceLayout {
  std::vector<DimExpr> arguments, results;
  DimExpr scratch; ///< shared by all launches
  DimExpr bytes;   ///< of all
};
DeviceLayout layOut(const EntryPoint &entry, const DeviceCode &code);

/// Bytes of a tensor over the entry's dimensions.
DimExpr bytesOf(const TensorInfo &tensor);

/// The offset of the next thing behind `bytes`, as the device aligns memory.
DimExpr alignOnDevice(const DimExpr &bytes);

} // namespace kiln::host

#endif // KILN_CODEGEN_HOST_DEVICE_H
