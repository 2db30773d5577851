//===- Emulator.h - device kernels on the host, thread by thread -*- C++ -*-===//
//
// Compiles the LLVM IR of a device kernel, as it goes to NVPTX, for the host: address spaces are
// one, and the intrinsics of a thread's number, of barriers and of shuffles become functions. The
// threads of a block are fibres; they change places only where they wait for one another.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_TEST_GPU_EMULATOR_H
#define KILN_TEST_GPU_EMULATOR_H

#include "codegen/cuda/Generate.h"

#include "llvm/IR/Instructions.h"

#include <functional>
#include <memory>

namespace kiln::test {

/// One kernel, ready to run.
class Emulated {
public:
  using Change = std::function<void(llvm::Module &)>;
  /// Generates and compiles; an error says what was not supported. `change` may break the device
  /// code before. The entry points are called as generateCUDA calls them for `symbol`.
  static llvm::Expected<std::unique_ptr<Emulated>> compile(const spec::KernelSpec &spec,
                                                           llvm::StringRef chip = "sm_80",
                                                           const Change &change = {},
                                                           llvm::StringRef symbol = "kernel");
  ~Emulated();
  /// Launches everything in order over buffers in operand order. Scratch memory and shared memory
  /// begin as NaN. At most `mostBlocks` blocks a launch, so that strides of the grid are tested
  /// too. Gives what went wrong or "".
  std::string run(const std::vector<void *> &buffers, const std::vector<int64_t> &symbols,
                  int64_t mostBlocks = 3);
  /// One launch of an entry point by its name, each argument in 64 bits, which asks for some shared
  /// memory. That begins as NaN. Gives what went wrong or "".
  std::string launch(llvm::StringRef function, int64_t blocks, int threads, int64_t sharedBytes,
                     const int64_t *arguments);
  /// Entry points, and how many arguments each has.
  const std::vector<cuda::DeviceLaunch> &launches() const;
  size_t numArguments() const;
  const std::string &plan() const;

private:
  struct State;
  explicit Emulated(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

/// Runs the kernel by the emulator and the reference evaluation on equal random data; the first
/// difference, what went wrong, or "". Floats within `tolerance` times (1 + magnitude).
std::string compareEmulated(const spec::KernelSpec &spec, const std::vector<int64_t> &symbols = {},
                            double tolerance = 1e-5, const Emulated::Change &change = {},
                            llvm::StringRef chip = "sm_80");
/// The same of a kernel that is compiled.
std::string compareEmulated(Emulated &kernel, const spec::KernelSpec &spec,
                            const std::vector<int64_t> &symbols, double tolerance);

/// Calls of an intrinsic whose name begins so, for those who break them.
std::vector<llvm::CallInst *> callsOf(llvm::Module &module, llvm::StringRef name);

} // namespace kiln::test

#endif // KILN_TEST_GPU_EMULATOR_H
