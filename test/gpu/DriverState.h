//===- DriverState.h - what the driver of the tests holds -------*- C++ -*-===//
//
// A driver whose one device is the emulator. It is lazy: what is queued on a stream runs when the
// stream is waited for, so that whoever does not wait sees it. Environment of the process:
//   KILN_FAKE_KERNELS  files with the specs of all kernels (kilnc --emit=kernels), by ':'
//   KILN_FAKE_DEVICES  how many devices there are (1)
//   KILN_FAKE_CHIP     their compute capability (80)
//   KILN_FAKE_FAIL     NAME#N=RESULT: the N-th call of a function fails; NAME '*': of any
//   KILN_FAKE_LOG      file for the calls, and what is left at the end of the process
//
//===----------------------------------------------------------------------===//
#ifndef KILN_TEST_GPU_DRIVERSTATE_H
#define KILN_TEST_GPU_DRIVERSTATE_H

#include "test/gpu/Emulator.h"
#include "test/unit/llvm/Builders.h"

#include "llvm/ADT/StringMap.h"

#include <deque>
#include <map>
#include <mutex>
#include <set>

namespace kiln::test {

/// Results, with the driver's numbers.
enum Result : int {
  Success = 0,
  InvalidValue = 1,
  OutOfMemory = 2,
  NotInitialized = 3,
  NoDevice = 100,
  InvalidContext = 201,
  NoBinary = 209,
  InvalidHandle = 400,
  InvalidImage = 218,
  NotFound = 500,
  LaunchFailed = 719,
  NoCapture = 900,
  Unknown = 999,
};

/// An image: its kernels by entry point.
struct FakeModule {
  void *context = nullptr;
  struct Function {
    std::shared_ptr<Emulated> kernel;
    std::string name;
    int threads = 0;
    int64_t sharedBytes = 0; ///< that its launches must ask for
    void *context = nullptr;
    int64_t mostShared = 48 << 10; ///< that they may
    size_t tensors = 0;            ///< whose maps are the last arguments
    const spec::KernelSpec *spec = nullptr;
  };
  std::map<std::string, Function> functions;
};

using Step = std::function<Result()>;

struct FakeStream {
  void *context = nullptr;
  std::deque<Step> queue;
  bool isRecording = false;
  std::vector<Step> recorded;
  /// Queues a step, or records it.
  void add(Step step) {
    if (isRecording)
      recorded.push_back(std::move(step));
    else
      queue.push_back(std::move(step));
  }
};

/// As recorded, or made ready to be launched.
struct FakeGraph {
  bool isExecutable = false;
  std::vector<Step> steps;
};

struct FakeEvent {
  bool isDone = false;
  double milliseconds = 0; ///< of the clock, when it was reached
};

/// What a module is loaded from.
struct Image {
  llvm::StringRef ptx; ///< empty: machine code
  std::string chip;
  std::set<std::string> entries; ///< names of entry points
};

class DriverState {
public:
  DriverState();
  ~DriverState();

  std::mutex mutex; ///< held by each call
  int devices = 1, chip = 80, contexts = 0;
  bool isStarted = false;
  Result broken = Success; ///< a failure of the device, which stays
  std::map<uint64_t, std::unique_ptr<GuardedBuffer>> memory;
  std::map<FakeModule *, std::unique_ptr<FakeModule>> modules;
  std::map<FakeStream *, std::unique_ptr<FakeStream>> streams;
  std::map<FakeGraph *, std::unique_ptr<FakeGraph>> graphs;
  std::map<FakeEvent *, std::unique_ptr<FakeEvent>> events;
  std::map<void *, std::unique_ptr<char>> made; ///< contexts that the process has made itself
  std::vector<void *> current;                  ///< contexts, the innermost last

  /// Whether the call is to fail, by the environment.
  Result enter(const char *name);
  /// What of the runtime's doing is wrong, beside any result.
  void fault(const llvm::Twine &text);
  bool isMemory(uint64_t address, size_t bytes) const;
  /// Whether some stream has work, or records it.
  bool isBusy() const;
  bool isRecording() const;
  /// The module, if the image is what its kernels' specs give: PTX or, of which names are compared
  /// alone, machine code.
  Result load(const char *data, FakeModule *&module);
  Result run(FakeStream &stream);

private:
  bool readKernels();
  std::shared_ptr<Emulated> emulated(const Image &image, const std::string &symbol,
                                     const spec::KernelSpec &spec);
  void log(const llvm::Twine &line);

  std::string failName;
  int failAt = 0, failWith = 0;
  size_t calls = 0, faults = 0;
  llvm::StringMap<int> counts;
  std::string logPath;
  bool isRead = false;
  std::map<std::string, spec::KernelSpec> kernels; ///< by symbol
  /// Compiled, by chip and symbol, for all instances of a process.
  struct Compiled {
    std::string ptx;
    std::shared_ptr<Emulated> kernel;
  };
  std::map<std::pair<std::string, std::string>, Compiled> compiled;
};

DriverState &driver();

} // namespace kiln::test

#endif // KILN_TEST_GPU_DRIVERSTATE_H
