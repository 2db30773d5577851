//===- Cuda.cpp - instances on a CUDA device ------------------------------===//
//
// One stream for each instance; all steps of a call are queued on it, and the call ends when they
// are done. The context is the device's primary one, current only while a call needs it.
//
//===----------------------------------------------------------------------===//
#include "runtime/Cuda.h"

#include "runtime/Libc.h"

// The library has no operator new; a device lies in memory that is already there.
inline void *operator new(size_t, void *place, kiln::rt::cuda::Device *) noexcept { return place; }

namespace kiln::rt::cuda {

static constexpr int64_t alignment = 256;
static int64_t aligned(int64_t bytes) { return (bytes + alignment - 1) & ~(alignment - 1); }

Device::Scope::Scope(Device &device)
    : result(device.driver.cuCtxPushCurrent_v2(device.context)), device(device) {}

Device::Scope::~Scope() {
  void *context = nullptr;
  if (!result)
    device.driver.cuCtxPopCurrent_v2(&context);
}

/// An address as the generated code handles it.
static void *pointer(Address address) { return reinterpret_cast<void *>(address); }
static Address address(const void *pointer) { return reinterpret_cast<Address>(pointer); }

/// The text of a failure within a call, which has its entry's name in front.
static kiln_status failCall(Instance &instance, const char *what, Result result) {
  TextWriter text = instance.fail();
  text << "'" << instance.code->model->entries[instance.current].name << "': ";
  return failure(deviceOf(instance), what, result, text);
}

/// The same for a launch, by the label and place of what it computes.
static kiln_status failLaunch(Instance &instance, int32_t launch, const char *what, Result result) {
  const kiln_entry &entry = instance.code->model->entries[instance.current];
  const kiln_launch &failed = entry.launches[launch];
  TextWriter text = instance.fail();
  text << "'" << entry.name << "': the kernel '" << failed.label << "' (" << failed.location
       << ") ";
  return failure(deviceOf(instance), what, result, text);
}

static int64_t constantBytes(const kiln_model_code &code) {
  int64_t bytes = aligned(code.stateBytes);
  for (int64_t i = 0; i < code.numWeights; ++i)
    bytes += aligned(code.blobs[i].bytes);
  return bytes;
}

/// Weights are copied once; the state follows them.
static kiln_status moveWeights(Instance &instance, TextWriter &text) {
  Device &device = deviceOf(instance);
  const kiln_model_code &code = *instance.code;
  Device::Scope scope(device);
  if (scope.result)
    return failure(device, "the GPU cannot be used", scope.result, text);
  int64_t bytes = constantBytes(code);
  if (bytes == 0)
    return KILN_OK;
  if (Result result = device.driver.cuMemAlloc_v2(&device.constant, size_t(bytes))) {
    device.constant = 0;
    text << "no memory on the GPU for " << bytes << " bytes of weights and state";
    return failure(device, "", result, text);
  }
  Address at = device.constant;
  for (int64_t i = 0; i < code.numWeights; ++i) {
    const kiln_weight_blob &blob = code.blobs[i];
    device.weights[i] = pointer(at);
    if (blob.bytes)
      if (Result result =
              device.driver.cuMemcpyHtoDAsync_v2(at, blob.data, size_t(blob.bytes), device.stream))
        return failure(device, "the weights cannot be copied to the GPU", result, text);
    at += Address(aligned(blob.bytes));
  }
  if (Result result = device.driver.cuStreamSynchronize(device.stream))
    return failure(device, "the weights cannot be copied to the GPU", result, text);
  instance.ctx.weights = device.weights;
  instance.ctx.state = static_cast<uint8_t *>(pointer(at));
  return KILN_OK;
}

/// Gives back what lies in the device's context.
static void empty(const Device &device) {
  const Driver &driver = device.driver;
  if (device.stream)
    driver.cuStreamSynchronize(device.stream);
  if (device.block)
    driver.cuMemFree_v2(device.block);
  if (device.constant)
    driver.cuMemFree_v2(device.constant);
  if (device.module)
    driver.cuModuleUnload(device.module);
  if (device.stream)
    driver.cuStreamDestroy_v2(device.stream);
}

static void close(Instance &instance) {
  Device &device = deviceOf(instance);
  // After a fork the device belongs to the parent.
  if (device.context && instance.processId == getpid()) {
    if (Device::Scope scope(device); !scope.result)
      empty(device);
    device.driver.cuDevicePrimaryCtxRelease_v2(device.number);
  }
  instance.allocator.give(&device, device.blockBytes);
  instance.device = nullptr;
}

/// The longest list of functions of a target, which the table must hold.
static int64_t mostFunctions(const kiln_model_code &code) {
  int64_t most = 0;
  for (int32_t i = 0; i < code.model->num_targets; ++i)
    if (code.targets[i].device && code.targets[i].device->num_functions > most)
      most = code.targets[i].device->num_functions;
  return most;
}

static kiln_status open(Instance &instance, TextWriter &text) {
  const kiln_model_code &code = *instance.code;
  Driver driver;
  if (kiln_status status = loadDriver(driver, text))
    return status;
  size_t functions = size_t(mostFunctions(code)), weights = size_t(code.numWeights);
  size_t bytes = sizeof(Device) + (functions + weights) * sizeof(void *);
  void *memory = instance.allocator.take(bytes);
  if (!memory) {
    text << "no memory for the " << int64_t(bytes) << " bytes of a device's tables";
    return KILN_OUT_OF_MEMORY;
  }
  auto *device = new (memory, static_cast<Device *>(nullptr)) Device;
  device->driver = driver;
  device->blockBytes = bytes;
  device->functions = reinterpret_cast<void **>(device + 1);
  device->weights = const_cast<const void **>(device->functions + functions);
  instance.device = device;
  int32_t target = -1;
  kiln_status status = chooseDevice(*device, code, target, text);
  if (!status)
    status = loadCode(*device, text);
  if (!status)
    status = moveWeights(instance, text);
  if (status) {
    close(instance);
    return status;
  }
  instance.target = target;
  instance.bodies = code.targets[target].bodies;
  return KILN_OK;
}

static kiln_status reserve(Instance &instance, int32_t entry, const int64_t *dims,
                           TextWriter &text) {
  Device &device = deviceOf(instance);
  const char *name = instance.code->model->entries[entry].name;
  int64_t bytes = evaluate(device.code->bytes[entry], dims);
  if (bytes == INT64_MIN) {
    text << "the memory that '" << name << "' needs at the bounds of its dimensions overflows";
    return KILN_TOO_LARGE;
  }
  if (bytes <= device.bytes)
    return KILN_OK;
  Device::Scope scope(device);
  if (scope.result)
    return failure(device, "the GPU cannot be used", scope.result, text);
  Address fresh = 0;
  if (Result result = device.driver.cuMemAlloc_v2(&fresh, size_t(bytes))) {
    text << "no memory on the GPU for the " << bytes << " bytes that '" << name << "' needs";
    return failure(device, "", result, text);
  }
  Address old = device.block;
  device.block = fresh;
  device.bytes = bytes;
  instance.ctx.arena = static_cast<uint8_t *>(pointer(fresh));
  if (Result result = old ? device.driver.cuMemFree_v2(old) : success)
    return failure(device, "memory of the GPU cannot be freed", result, text);
  return KILN_OK;
}

static kiln_status begin(Instance &instance) {
  Device &device = deviceOf(instance);
  Result result = device.driver.cuCtxPushCurrent_v2(device.context);
  return result ? failCall(instance, "the GPU cannot be used", result) : kiln_status(KILN_OK);
}

static kiln_status wait(Instance &instance, int32_t launch) {
  Device &device = deviceOf(instance);
  Result result = device.driver.cuStreamSynchronize(device.stream);
  if (!result)
    return KILN_OK;
  if (launch >= 0)
    return failLaunch(instance, launch, "failed", result);
  return failCall(instance, "a kernel failed (an instance made with options.profile says which)",
                  result);
}

static kiln_status end(Instance &instance, kiln_status status) {
  // Also behind a failure: the caller's memory may be in use until the queue is empty.
  if (status)
    deviceOf(instance).driver.cuStreamSynchronize(deviceOf(instance).stream);
  else
    status = wait(instance, -1);
  void *context = nullptr;
  deviceOf(instance).driver.cuCtxPopCurrent_v2(&context);
  return status;
}

static kiln_status setState(Instance &instance, int64_t offset, const void *from, size_t bytes) {
  Device &device = deviceOf(instance);
  if (bytes == 0)
    return KILN_OK;
  Device::Scope scope(device);
  Address to = address(instance.ctx.state + offset);
  Result result = scope.result;
  if (!result)
    result = from ? device.driver.cuMemcpyHtoDAsync_v2(to, from, bytes, device.stream)
                  : device.driver.cuMemsetD8Async(to, 0, bytes, device.stream);
  if (!result)
    result = device.driver.cuStreamSynchronize(device.stream);
  TextWriter text = instance.fail();
  return result ? failure(device, "the state cannot be written", result, text)
                : kiln_status(KILN_OK);
}

static kiln_status getState(Instance &instance, void *to, int64_t offset, size_t bytes) {
  Device &device = deviceOf(instance);
  if (bytes == 0)
    return KILN_OK;
  Device::Scope scope(device);
  Result result = scope.result;
  if (!result)
    result = device.driver.cuMemcpyDtoHAsync_v2(to, address(instance.ctx.state + offset), bytes,
                                                device.stream);
  if (!result)
    result = device.driver.cuStreamSynchronize(device.stream);
  TextWriter text = instance.fail();
  return result ? failure(device, "the state cannot be read", result, text) : kiln_status(KILN_OK);
}

} // namespace kiln::rt::cuda

using namespace kiln::rt;
using namespace kiln::rt::cuda;

extern const kiln_device_api kiln_cuda_api = {open, close, reserve,  begin,
                                              end,  wait,  setState, getState};

static Instance &instanceOf(kiln_ctx *ctx) { return *reinterpret_cast<Instance *>(ctx); }

int32_t kiln_device_upload(kiln_ctx *ctx, void *to, const void *from, int64_t bytes) {
  Device &device = deviceOf(instanceOf(ctx));
  if (bytes == 0)
    return KILN_OK;
  Result result =
      device.driver.cuMemcpyHtoDAsync_v2(address(to), from, size_t(bytes), device.stream);
  return result ? failCall(instanceOf(ctx), "an argument cannot be copied to the GPU", result)
                : KILN_OK;
}

int32_t kiln_device_download(kiln_ctx *ctx, void *to, const void *from, int64_t bytes) {
  Device &device = deviceOf(instanceOf(ctx));
  if (bytes == 0)
    return KILN_OK;
  Result result =
      device.driver.cuMemcpyDtoHAsync_v2(to, address(from), size_t(bytes), device.stream);
  return result ? failCall(instanceOf(ctx), "a result cannot be copied from the GPU", result)
                : KILN_OK;
}

int32_t kiln_device_copy(kiln_ctx *ctx, void *to, const void *from, int64_t bytes) {
  Device &device = deviceOf(instanceOf(ctx));
  if (bytes == 0)
    return KILN_OK;
  Result result =
      device.driver.cuMemcpyDtoDAsync_v2(address(to), address(from), size_t(bytes), device.stream);
  return result ? failCall(instanceOf(ctx), "memory cannot be copied on the GPU", result) : KILN_OK;
}

int32_t kiln_device_fetch(kiln_ctx *ctx, void *to, const void *from, int64_t bytes) {
  if (int32_t status = kiln_device_download(ctx, to, from, bytes))
    return status;
  return wait(instanceOf(ctx), -1);
}

int32_t kiln_device_assert(kiln_ctx *ctx, const void *place) {
  uint8_t value = 0;
  if (int32_t status = kiln_device_fetch(ctx, &value, place, 1))
    return status;
  return value ? KILN_OK : KILN_INDEX_OUT_OF_RANGE;
}

int32_t kiln_device_launch(kiln_ctx *ctx, int32_t launch, int32_t function, int64_t blocks,
                           int32_t threads, int64_t *arguments, int32_t count) {
  // Kernels of more are refused when they are compiled.
  constexpr int32_t mostArguments = 512;
  Device &device = deviceOf(instanceOf(ctx));
  if (blocks == 0)
    return KILN_OK;
  void *places[mostArguments];
  for (int32_t i = 0; i < count && i < mostArguments; ++i)
    places[i] = arguments + i;
  Result result =
      device.driver.cuLaunchKernel(device.functions[function], uint32_t(blocks), 1, 1,
                                   uint32_t(threads), 1, 1, 0, device.stream, places, nullptr);
  return result ? failLaunch(instanceOf(ctx), launch, "cannot be launched", result) : KILN_OK;
}
