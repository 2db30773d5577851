//===- DriverState.cpp - what the driver of the tests holds ---------------===//

#include "test/gpu/DriverState.h"

#include "test/gpu/Specs.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace kiln;
using namespace kiln::test;
using namespace llvm;

static StringRef environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

DriverState &test::driver() {
  static DriverState state;
  return state;
}

DriverState::DriverState() {
  environment("KILN_FAKE_DEVICES").getAsInteger(10, devices);
  environment("KILN_FAKE_CHIP").getAsInteger(10, chip);
  auto [what, result] = environment("KILN_FAKE_FAIL").split('=');
  auto [name, number] = what.split('#');
  failName = name.str();
  number.getAsInteger(10, failAt);
  result.getAsInteger(10, failWith);
  logPath = environment("KILN_FAKE_LOG").str();
}

DriverState::~DriverState() {
  log("calls: " + Twine(calls));
  log("left: " + Twine(memory.size()) + " pieces of memory, " + Twine(modules.size()) +
      " modules, " + Twine(streams.size()) + " streams, " + Twine(size_t(contexts) + made.size()) +
      " contexts, " + Twine(current.size()) + " current, " + Twine(graphs.size()) + " graphs, " +
      Twine(events.size()) + " events");
  log("faults: " + Twine(faults));
}

void DriverState::log(const Twine &line) {
  if (logPath.empty())
    return;
  std::error_code code;
  raw_fd_ostream(logPath, code, sys::fs::OF_Append) << line << "\n";
}

void DriverState::fault(const Twine &text) {
  ++faults;
  log("fault: " + text);
  errs() << "the driver of the tests: " << text << "\n";
}

Result DriverState::enter(const char *name) {
  log(name);
  int number = ++counts[name];
  ++calls;
  if (failName == "*" ? size_t(failAt) == calls : failName == name && failAt == number)
    return Result(failWith);
  return Success;
}

bool DriverState::isMemory(uint64_t address, size_t bytes) const {
  auto next = memory.upper_bound(address);
  if (next == memory.begin())
    return false;
  auto &[start, buffer] = *std::prev(next);
  return address + bytes <= start + buffer->size();
}

bool DriverState::isBusy() const {
  return any_of(streams, [](auto &each) { return !each.first->queue.empty(); });
}

bool DriverState::isRecording() const {
  return any_of(streams, [](auto &each) { return each.first->isRecording; });
}

bool DriverState::readKernels() {
  isRead = true;
  SmallVector<StringRef> paths;
  environment("KILN_FAKE_KERNELS").split(paths, ':', -1, /*KeepEmpty=*/false);
  for (StringRef path : paths) {
    auto file = MemoryBuffer::getFile(path);
    if (!file)
      return fault("cannot read '" + path + "'"), false;
    Error error = readSpecs((*file)->getBuffer(), [&](StringRef, const spec::KernelSpec &spec) {
      kernels["kiln_" + spec::hash(spec)] = spec;
    });
    if (error)
      return fault(toString(std::move(error))), false;
  }
  return true;
}

/// Makes sure that what is emulated is what the image holds.
std::shared_ptr<Emulated> DriverState::emulated(StringRef image, StringRef chip,
                                                const std::string &symbol,
                                                const spec::KernelSpec &spec) {
  Compiled &known = compiled[{chip.str(), symbol}];
  if (!known.kernel) {
    auto kernel = cuda::generateCUDA(spec, chip, symbol);
    if (!kernel)
      return fault(toString(kernel.takeError())), nullptr;
    auto made = Emulated::compile(spec, chip, {}, symbol);
    if (!made)
      return fault(toString(made.takeError())), nullptr;
    known = {cuda::withoutHead(kernel->ptx).str(), std::move(*made)};
  }
  if (image.contains(known.ptx))
    return known.kernel;
  return fault("the image has other code for '" + Twine(symbol) + "' than its spec gives"), nullptr;
}

FakeModule *DriverState::load(StringRef image) {
  if (!isRead && !readKernels())
    return nullptr;
  StringRef chip = image.split(".target ").second.split('\n').first.trim();
  log("target: " + chip);
  auto made = std::make_unique<FakeModule>();
  made->context = current.back();
  for (auto &[symbol, spec] : kernels) {
    if (!image.contains(".entry " + symbol + "_0("))
      continue;
    std::shared_ptr<Emulated> shared = emulated(image, chip, symbol, spec);
    if (!shared)
      return nullptr;
    for (const cuda::DeviceLaunch &launch : shared->launches())
      made->functions[launch.name] = {
          shared,         launch.name, launch.threads,        launch.sharedBytes,
          current.back(), 48 << 10,    launch.tensors.size(), &spec};
  }
  if (image.count(".entry ") != made->functions.size())
    return fault("the image has " + Twine(image.count(".entry ")) + " entry points, specs give " +
                 Twine(made->functions.size())),
           nullptr;
  FakeModule *module = made.get();
  modules[module] = std::move(made);
  return module;
}

Result DriverState::run(FakeStream &stream) {
  while (!stream.queue.empty()) {
    std::function<Result()> step = std::move(stream.queue.front());
    stream.queue.pop_front();
    if (broken == Success)
      broken = step();
  }
  return broken;
}
