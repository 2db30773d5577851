//===- Driver.cpp - libcuda.so.1 of the tests -----------------------------===//
//
// The driver's functions that the runtime calls, by their documented behaviour.
//
//===----------------------------------------------------------------------===//

#include "test/gpu/Bulk.h"
#include "test/gpu/DriverCalls.h"

#include <cstring>

using namespace kiln::test;

static char theContext;

/// For functions that a recording of steps forbids.
static bool isForbidden(const char *name) {
  if (driver().isRecording())
    driver().fault(llvm::Twine(name) + " while steps are recorded");
  return driver().isRecording();
}

FakeStream *kiln::test::findStream(void *stream) {
  auto at = driver().streams.find(static_cast<FakeStream *>(stream));
  if (at == driver().streams.end())
    return driver().fault("a stream that is not there"), nullptr;
  if (driver().current.empty() || at->first->context != driver().current.back())
    return driver().fault("a stream of another context"), nullptr;
  return at->first;
}

/// Queues a step between host and device memory; both ends are looked at when it runs.
static int copy(void *stream, uint64_t device, size_t bytes, std::function<void()> step) {
  FakeStream *queue = findStream(stream);
  if (!queue)
    return InvalidHandle;
  if (bytes == 0 || !driver().isMemory(device, bytes))
    return driver().fault("a copy of memory that is not there"), InvalidValue;
  queue->add([step, device, bytes] {
    if (!driver().isMemory(device, bytes))
      return driver().fault("memory was freed before a copy"), LaunchFailed;
    step();
    return Success;
  });
  return Success;
}

static void *at(uint64_t address) { return reinterpret_cast<void *>(address); }

extern "C" {

int cuInit(uint32_t) {
  ENTER("cuInit");
  driver().isStarted = true;
  return Success;
}

int cuGetErrorName(int result, const char **name) {
  switch (result) {
  case InvalidValue:
    *name = "CUDA_ERROR_INVALID_VALUE";
    return Success;
  case OutOfMemory:
    *name = "CUDA_ERROR_OUT_OF_MEMORY";
    return Success;
  case NoDevice:
    *name = "CUDA_ERROR_NO_DEVICE";
    return Success;
  case 222:
    *name = "CUDA_ERROR_UNSUPPORTED_PTX_VERSION";
    return Success;
  case LaunchFailed:
    *name = "CUDA_ERROR_LAUNCH_FAILED";
    return Success;
  case NoCapture:
    *name = "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED";
    return Success;
  case Unknown:
    *name = "CUDA_ERROR_UNKNOWN";
    return Success;
  default:
    *name = nullptr;
    return InvalidValue;
  }
}

int cuDeviceGetCount(int *count) {
  ENTER("cuDeviceGetCount");
  if (!driver().isStarted)
    return NotInitialized;
  *count = driver().devices;
  return Success;
}

int cuDeviceGet(int *device, int number) {
  ENTER("cuDeviceGet");
  *device = number;
  return number < driver().devices ? Success : InvalidValue;
}

int cuDeviceGetAttribute(int *value, int attribute, int) {
  ENTER("cuDeviceGetAttribute");
  *value = attribute == 75 ? driver().chip / 10 : driver().chip % 10;
  return attribute == 75 || attribute == 76 ? Success : InvalidValue;
}

int cuDevicePrimaryCtxRetain(void **context, int) {
  ENTER("cuDevicePrimaryCtxRetain");
  ++driver().contexts;
  *context = &theContext;
  return Success;
}

int cuDevicePrimaryCtxRelease_v2(int) {
  ENTER("cuDevicePrimaryCtxRelease_v2");
  if (driver().contexts-- == 0)
    driver().fault("a context is released twice");
  return Success;
}

int cuCtxPushCurrent_v2(void *context) {
  ENTER("cuCtxPushCurrent_v2");
  if ((context != &theContext || driver().contexts == 0) && !driver().made.count(context))
    return driver().fault("a context that is not there"), InvalidContext;
  driver().current.push_back(context);
  return Success;
}

int cuCtxPopCurrent_v2(void **context) {
  ENTER_CONTEXT("cuCtxPopCurrent_v2");
  *context = driver().current.back();
  driver().current.pop_back();
  return Success;
}

int cuCtxGetDevice(int *device) {
  ENTER_CONTEXT("cuCtxGetDevice");
  *device = 0;
  return Success;
}

int cuCtxCreate_v2(void **context, uint32_t, int) {
  ENTER("cuCtxCreate_v2");
  auto made = std::make_unique<char>();
  *context = made.get();
  driver().current.push_back(made.get());
  driver().made[made.get()] = std::move(made);
  return Success;
}

int cuCtxDestroy_v2(void *context) {
  ENTER("cuCtxDestroy_v2");
  for (auto &[stream, owned] : driver().streams)
    if (stream->context == context)
      driver().fault("a context is destroyed before its streams");
  if (!driver().current.empty() && driver().current.back() == context)
    driver().current.pop_back();
  if (!driver().made.erase(context))
    driver().fault("a context is destroyed twice");
  return Success;
}

int cuModuleLoadData(void **module, const void *image) {
  ENTER_CONTEXT("cuModuleLoadData");
  if (isForbidden("cuModuleLoadData"))
    return NoCapture;
  FakeModule *loaded = nullptr;
  Result result = driver().load(static_cast<const char *>(image), loaded);
  *module = loaded;
  return result;
}

int cuModuleUnload(void *module) {
  ENTER_CONTEXT("cuModuleUnload");
  if (!driver().modules.erase(static_cast<FakeModule *>(module)))
    driver().fault("a module is unloaded twice");
  return Success;
}

int cuModuleGetFunction(void **function, void *module, const char *name) {
  ENTER_CONTEXT("cuModuleGetFunction");
  auto &functions = static_cast<FakeModule *>(module)->functions;
  auto found = functions.find(name);
  if (found == functions.end())
    return NotFound;
  *function = &found->second;
  return Success;
}

int cuFuncSetAttribute(void *function, int attribute, int value) {
  ENTER_CONTEXT("cuFuncSetAttribute");
  if (isForbidden("cuFuncSetAttribute"))
    return NoCapture;
  constexpr int ofSharedMemory = 8;
  int chip = driver().chip, mostKB = chip < 80 ? 64 : chip == 80 ? 163 : chip < 90 ? 99 : 227;
  if (attribute != ofSharedMemory || value < 0 || value > mostKB * 1024)
    return InvalidValue;
  static_cast<FakeModule::Function *>(function)->mostShared = value;
  return Success;
}

int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  ENTER_CONTEXT("cuMemAlloc_v2");
  if (isForbidden("cuMemAlloc_v2"))
    return NoCapture;
  if (bytes == 0)
    return InvalidValue;
  auto buffer = std::make_unique<GuardedBuffer>((bytes + 255) / 256 * 256);
  memset(buffer->data(), 0xff, buffer->size());
  *address = reinterpret_cast<uint64_t>(buffer->data());
  driver().memory[*address] = std::move(buffer);
  return Success;
}

int cuMemFree_v2(uint64_t address) {
  ENTER_CONTEXT("cuMemFree_v2");
  if (isForbidden("cuMemFree_v2"))
    return NoCapture;
  if (driver().isBusy())
    driver().fault("memory is freed while a stream is not done");
  if (!driver().memory.erase(address))
    driver().fault("memory is freed twice");
  return Success;
}

int cuPointerGetAttribute(void *value, int attribute, uint64_t address) {
  ENTER_CONTEXT("cuPointerGetAttribute");
  if (attribute != 2 || !driver().isMemory(address, 1))
    return InvalidValue;
  uint32_t onDevice = 2;
  memcpy(value, &onDevice, sizeof(onDevice));
  return Success;
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream) {
  ENTER_CONTEXT("cuMemcpyHtoDAsync_v2");
  if (isForbidden("cuMemcpyHtoDAsync_v2"))
    return NoCapture;
  if (driver().isMemory(reinterpret_cast<uint64_t>(from), 1))
    driver().fault("memory of the device is copied as the host's");
  return copy(stream, to, bytes, [=] { memcpy(at(to), from, bytes); });
}

int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *stream) {
  ENTER_CONTEXT("cuMemcpyDtoHAsync_v2");
  if (isForbidden("cuMemcpyDtoHAsync_v2"))
    return NoCapture;
  if (driver().isMemory(reinterpret_cast<uint64_t>(to), 1))
    driver().fault("memory of the device is copied as the host's");
  return copy(stream, from, bytes, [=] { memcpy(to, at(from), bytes); });
}

int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *stream) {
  ENTER_CONTEXT("cuMemcpyDtoDAsync_v2");
  if (!driver().isMemory(from, bytes))
    return driver().fault("a copy of memory that is not there"), InvalidValue;
  return copy(stream, to, bytes, [=] { memmove(at(to), at(from), bytes); });
}

int cuMemsetD8Async(uint64_t to, uint8_t value, size_t bytes, void *stream) {
  ENTER_CONTEXT("cuMemsetD8Async");
  return copy(stream, to, bytes, [=] { memset(at(to), value, bytes); });
}

int cuStreamCreate(void **stream, uint32_t) {
  ENTER_CONTEXT("cuStreamCreate");
  auto made = std::make_unique<FakeStream>();
  made->context = driver().current.back();
  *stream = made.get();
  driver().streams[made.get()] = std::move(made);
  return Success;
}

int cuStreamDestroy_v2(void *stream) {
  ENTER_CONTEXT("cuStreamDestroy_v2");
  FakeStream *found = findStream(stream);
  if (!found)
    return InvalidHandle;
  if (!found->queue.empty() || found->isRecording)
    driver().fault("a stream is destroyed before it is done");
  driver().streams.erase(found);
  return Success;
}

int cuStreamSynchronize(void *stream) {
  std::lock_guard lock(driver().mutex);
  auto at = driver().streams.find(static_cast<FakeStream *>(stream));
  // A device that has failed does nothing any more.
  if (Result wanted = driver().enter("cuStreamSynchronize")) {
    driver().broken = wanted;
    if (at != driver().streams.end())
      at->first->queue.clear();
    return wanted;
  }
  if (driver().current.empty())
    return driver().fault("cuStreamSynchronize without a context"), InvalidContext;
  if (isForbidden("cuStreamSynchronize"))
    return NoCapture;
  FakeStream *found = findStream(stream);
  return found ? driver().run(*found) : InvalidHandle;
}

int cuTensorMapEncodeTiled(void *map, int type, uint32_t rank, void *address,
                           const uint64_t *extents, const uint64_t *strides, const uint32_t *box,
                           const uint32_t *steps, int interleave, int swizzle, int promotion,
                           int fill) {
  ENTER("cuTensorMapEncodeTiled");
  std::string text =
      encode(static_cast<TensorMap *>(map), {type, rank, address, extents, strides, box, steps,
                                             interleave, swizzle, promotion, fill});
  uint64_t bytes = text.empty() ? extents[rank - 1] * strides[rank - 2] : 0;
  if (text.empty() && !driver().isMemory(reinterpret_cast<uint64_t>(address), bytes))
    text = "it is of memory that is not there";
  if (text.empty())
    return Success;
  return driver().fault("a tensor map: " + text), InvalidValue;
}

int cuLaunchKernel(void *function, uint32_t gridX, uint32_t gridY, uint32_t gridZ, uint32_t blockX,
                   uint32_t blockY, uint32_t blockZ, uint32_t sharedBytes, void *stream,
                   void **arguments, void **extra) {
  ENTER_CONTEXT("cuLaunchKernel");
  auto &kernel = *static_cast<FakeModule::Function *>(function);
  FakeStream *queue = findStream(stream);
  if (!queue)
    return InvalidHandle;
  if (kernel.context != queue->context)
    return driver().fault("a kernel of another context than the stream"), InvalidHandle;
  if (gridX == 0 || gridX > INT32_MAX || gridY != 1 || gridZ != 1 || blockY != 1 || blockZ != 1 ||
      extra || int(blockX) != kernel.threads)
    return driver().fault("a launch of another shape than the kernel's"), InvalidValue;
  if (sharedBytes > kernel.mostShared || sharedBytes != kernel.sharedBytes)
    return driver().fault("a launch with other shared memory than the kernel's"), InvalidValue;
  std::vector<int64_t> values(kernel.kernel->numArguments());
  for (size_t i = 0; i < values.size(); ++i)
    memcpy(&values[i], arguments[i], sizeof(int64_t));
  const std::vector<kiln::spec::Operand> &operands = kernel.spec->operands;
  for (size_t i = 0; i < operands.size(); ++i)
    if (values[i] % operands[i].alignment)
      return driver().fault("'" + operands[i].name + "' of " + kernel.name +
                            " begins elsewhere than its spec says"),
             InvalidValue;
  std::vector<TensorMap> maps(kernel.tensors); // by value, as all arguments
  for (size_t i = 0; i < maps.size(); ++i)
    memcpy(&maps[i], arguments[values.size() + i], sizeof(TensorMap));
  queue->add([&kernel, gridX, blockX, sharedBytes, values, maps] {
    std::vector<int64_t> all = values;
    for (const TensorMap &map : maps)
      all.push_back(reinterpret_cast<int64_t>(&map));
    std::string text =
        kernel.kernel->launch(kernel.name, gridX, int(blockX), sharedBytes, all.data());
    if (text.empty())
      return Success;
    return driver().fault(text), LaunchFailed;
  });
  return Success;
}

} // extern "C"
