//===- CudaDriver.h - the functions of libcuda.so.1 -------------*- C++ -*-===//
//
// Declared here from the driver's documented interface, so that no CUDA header is needed. The
// library is opened when the first instance is made and stays open.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_RUNTIME_CUDADRIVER_H
#define KILN_RUNTIME_CUDADRIVER_H

#include "runtime/Status.h"

namespace kiln::rt::cuda {

using Result = int32_t;
using Address = uint64_t; ///< in the device's memory

enum : Result {
  success = 0,
  outOfMemory = 2,
  noDevice = 100,
  noBinary = 209,
  invalidImage = 218,
  tooNewImage = 222,
};
enum : int32_t { capabilityMajor = 75, capabilityMinor = 76 }; // attributes of a device
enum : uint32_t { nonBlocking = 1 };                           // flag of a stream

/// Each member is called like the driver's function.
struct Driver {
#define KILN_CUDA(name, ...) Result (*name)(__VA_ARGS__) = nullptr;
#include "runtime/CudaDriver.def"

  /// The driver's name of a result.
  const char *nameOf(Result result) const;
};

/// Opens the driver and starts it. KILN_NO_DEVICE with what to do if that cannot be.
kiln_status loadDriver(Driver &driver, TextWriter &text);

} // namespace kiln::rt::cuda

#endif // KILN_RUNTIME_CUDADRIVER_H
