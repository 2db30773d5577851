//===- Cuda.h - an instance's part on a CUDA device -------------*- C++ -*-===//
#ifndef KILN_RUNTIME_CUDA_H
#define KILN_RUNTIME_CUDA_H

#include "runtime/CudaDriver.h"
#include "runtime/Model.h"

namespace kiln::rt::cuda {

/// All that an instance has of a device. Lies in a block of its own, with its tables behind it.
struct Device {
  Driver driver;
  size_t blockBytes = 0;
  const kiln_device_code *code = nullptr; ///< of the target that the device runs
  int32_t number = -1;                    ///< of the device; -1: none is held
  void *context = nullptr, *stream = nullptr, *module = nullptr;
  void **functions = nullptr;     ///< by position in the code's list
  const void **weights = nullptr; ///< addresses on the device
  Address constant = 0;           ///< the weights, and behind them the state
  Address block = 0;              ///< of the tensors of calls
  int64_t bytes = 0;              ///< of that

  /// Makes the device's context current, until the end of the scope.
  class Scope {
  public:
    explicit Scope(Device &device);
    ~Scope();
    Result result; ///< of beginning

  private:
    Device &device;
  };
};

inline Device &deviceOf(Instance &instance) { return *static_cast<Device *>(instance.device); }

/// Chooses device and target, by position. KILN_NO_DEVICE with the reason if there is none.
kiln_status chooseDevice(Device &device, const kiln_model_code &code, int32_t &target,
                         TextWriter &text);
/// Retains the context and loads the code.
kiln_status loadCode(Device &device, TextWriter &text);

/// Writes what the driver reported and what can be done.
kiln_status failure(const Device &device, const char *what, Result result, TextWriter &text);

} // namespace kiln::rt::cuda

#endif // KILN_RUNTIME_CUDA_H
