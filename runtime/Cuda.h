//===- Cuda.h - an instance's part on a CUDA device -------------*- C++ -*-===//
#ifndef KILN_RUNTIME_CUDA_H
#define KILN_RUNTIME_CUDA_H

#include "runtime/CudaDriver.h"
#include "runtime/Model.h"

namespace kiln::rt::cuda {

/// The steps of an entry at some dimensions, which its table of graphs keeps.
struct Graph {
  static constexpr int32_t perEntry = 4;

  void *executable = nullptr; ///< null: seen once
  int64_t lastUse = 0;        ///< by the device's clock; 0: never used
  int64_t *dims = nullptr;
};

/// All that an instance has of a device. Lies in a block of its own, with its tables behind it.
struct Device {
  Driver driver;
  size_t blockBytes = 0;
  const kiln_device_code *code = nullptr; ///< of the target that the device runs
  int32_t capability = 0;                 ///< of the device, as that of the code
  int32_t number = -1;                    ///< of the device whose context is held; -1: none is
  void *context = nullptr, *stream = nullptr, *module = nullptr;
  bool ownsStream = true;         ///< not the caller's
  bool isQueued = false;          ///< there may be work that nobody has waited for
  void **functions = nullptr;     ///< by position in the code's list
  const void **weights = nullptr; ///< addresses on the device
  Address constant = 0;           ///< the weights, and behind them the state
  Address block = 0;              ///< of the tensors of calls
  int64_t bytes = 0;              ///< of that
  void *events[2] = {};           ///< before and after a launch; with a profile only
  bool usesGraphs = false;
  int64_t clock = 0;
  int32_t numGraphs = 0;
  Graph *graphs = nullptr;   ///< Graph::perEntry for each entry
  Graph *recorded = nullptr; ///< that whose steps are being recorded

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

/// An address as the generated code handles it.
inline void *pointer(Address address) { return reinterpret_cast<void *>(address); }
inline Address address(const void *pointer) { return reinterpret_cast<Address>(pointer); }

/// Chooses device and target, by position, and holds a context. KILN_NO_DEVICE with the reason if
/// there is none.
kiln_status chooseDevice(Device &device, const kiln_model_code &code,
                         const kiln_device_options &options, int32_t &target, TextWriter &text);
/// Takes a stream and loads the code.
kiln_status loadCode(Device &device, bool isProfiled, TextWriter &text);

/// Waits for the stream.
Result drain(Device &device);

/// Ends a recording that came to nothing.
void stopRecording(Device &device);
/// Forgets all graphs; nothing runs, and the context is current.
void dropGraphs(Device &device);

/// Writes what the driver reported and what can be done.
kiln_status failure(Device &device, const char *what, Result result, TextWriter &text);
/// The text of a failure within a call, which has its entry's name in front.
kiln_status failCall(Instance &instance, const char *what, Result result);

// Of kiln_device_api; CudaCall.cpp.
kiln_status begin(Instance &instance);
kiln_status end(Instance &instance, kiln_status status, bool isQueued);
kiln_status tick(Instance &instance, int32_t index);
kiln_status wait(Instance &instance);

} // namespace kiln::rt::cuda

#endif // KILN_RUNTIME_CUDA_H
