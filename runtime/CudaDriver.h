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
  invalidValue = 1,
  outOfMemory = 2,
  noDevice = 100,
  wrongImage = 200,
  noBinary = 209,
  invalidImage = 218,
  tooNewImage = 222,
  noCapture = 900,
};
enum : int32_t { capabilityMajor = 75, capabilityMinor = 76 }; // attributes of a device
enum : uint32_t { nonBlocking = 1 };                           // flag of a stream
enum : int32_t { captureThread = 1 };                          // captures what this thread does
enum : int32_t { mostShared = 8 };    // attribute of a function: bytes that launches may ask for
enum : int32_t { pointerMemory = 2 }; // attribute of an address: where it lies
enum : uint32_t { onHost = 1 };       // what that attribute is

/// One of the driver's functions; notes its name where it fails.
template <class Type> class Function;
template <class... Arguments> class Function<Result(Arguments...)> {
public:
  Result operator()(Arguments... arguments) const {
    Result result = call(arguments...);
    if (result)
      *failed = name;
    return result;
  }
  explicit operator bool() const { return call != nullptr; }
  void set(void *address, const char *itsName, const char **note) {
    call = reinterpret_cast<Result (*)(Arguments...)>(address);
    name = itsName;
    failed = note;
  }

private:
  Result (*call)(Arguments...) = nullptr;
  const char *name = nullptr;
  const char **failed = nullptr;
};

/// Each member is called like the driver's function. Stays where it was loaded.
struct Driver {
#define KILN_CUDA(name, ...) Function<Result(__VA_ARGS__)> name;
#include "runtime/CudaDriver.def"

  const char *failed = ""; ///< function that failed last

  bool hasGraphs() const {
    return cuStreamBeginCapture_v2 && cuStreamEndCapture && cuGraphDestroy &&
           cuGraphInstantiateWithFlags && cuGraphExecDestroy && cuGraphLaunch;
  }
  /// The driver's name of a result.
  const char *nameOf(Result result);
};

/// Opens the driver and starts it. KILN_NO_DEVICE with what to do if that cannot be.
kiln_status loadDriver(Driver &driver, TextWriter &text);

} // namespace kiln::rt::cuda

#endif // KILN_RUNTIME_CUDADRIVER_H
