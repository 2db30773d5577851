//===- CudaCall.cpp - calls on a CUDA device ------------------------------===//
//
// All steps of a call are queued on the instance's stream. The call ends when they are done, or,
// if it is only to be queued, when the last one is.
//
//===----------------------------------------------------------------------===//
#include "runtime/Cuda.h"

namespace kiln::rt::cuda {

Result drain(Device &device) {
  device.isQueued = false;
  return device.driver.cuStreamSynchronize(device.stream);
}

kiln_status failCall(Instance &instance, const char *what, Result result) {
  TextWriter text = instance.fail();
  text << "'" << instance.code->model->entries[instance.current].name << "': ";
  return failure(deviceOf(instance), what, result, text);
}

/// Begins the text of a launch's failure, by the label and place of what it computes.
static TextWriter beginOfLaunch(Instance &instance, int32_t launch) {
  const kiln_entry &entry = instance.code->model->entries[instance.current];
  const kiln_launch &failed = entry.launches[launch];
  TextWriter text = instance.fail();
  text << "'" << entry.name << "': the kernel '" << failed.label << "' (" << failed.location
       << ") ";
  return text;
}

static kiln_status failLaunch(Instance &instance, int32_t launch, const char *what, Result result) {
  TextWriter text = beginOfLaunch(instance, launch);
  return failure(deviceOf(instance), what, result, text);
}

kiln_status begin(Instance &instance) {
  Device &device = deviceOf(instance);
  Result result = device.driver.cuCtxPushCurrent_v2(device.context);
  return result ? failCall(instance, "the GPU cannot be used", result) : kiln_status(KILN_OK);
}

/// Waits within a call.
static kiln_status finish(Instance &instance) {
  Result result = drain(deviceOf(instance));
  if (!result)
    return KILN_OK;
  return failCall(instance, "a kernel failed (an instance made with options.profile says which)",
                  result);
}

kiln_status end(Instance &instance, kiln_status status, bool isQueued) {
  Device &device = deviceOf(instance);
  // Also behind a failure: the caller's memory may be in use until the queue is empty.
  if (status) {
    stopRecording(device);
    drain(device);
  } else if (isQueued) {
    device.isQueued = true;
  } else {
    status = finish(instance);
  }
  void *context = nullptr;
  device.driver.cuCtxPopCurrent_v2(&context);
  return status;
}

kiln_status tick(Instance &instance, int32_t index) {
  Device &device = deviceOf(instance);
  constexpr const char *what = "the time of a kernel cannot be taken";
  int32_t launch = instance.profile.running();
  float milliseconds = 0;
  if (launch >= 0) {
    if (Result result = device.driver.cuEventRecord(device.events[1], device.stream))
      return failCall(instance, what, result);
    if (Result result = drain(device))
      return failLaunch(instance, launch, "failed", result);
    if (Result result =
            device.driver.cuEventElapsedTime(&milliseconds, device.events[0], device.events[1]))
      return failCall(instance, what, result);
  }
  instance.profile.tick(index, int64_t(double(milliseconds) * 1e6));
  if (index == instance.code->model->entries[instance.current].num_launches)
    return KILN_OK;
  Result result = device.driver.cuEventRecord(device.events[0], device.stream);
  return result ? failCall(instance, what, result) : kiln_status(KILN_OK);
}

kiln_status wait(Instance &instance) {
  Device &device = deviceOf(instance);
  Device::Scope scope(device);
  Result result = scope.result ? scope.result : drain(device);
  TextWriter text = instance.fail();
  return result ? failure(device, "a call that was queued failed", result, text)
                : kiln_status(KILN_OK);
}

/// Whether memory of the caller's lies on a device; memory that the driver does not know is the
/// host's.
static Result isOnDevice(Device &device, const void *data, bool &is) {
  uint32_t kind = onHost;
  Result result = device.driver.cuPointerGetAttribute(&kind, pointerMemory, address(data));
  is = !result && kind != onHost;
  return result == invalidValue ? Result(success) : result;
}

} // namespace kiln::rt::cuda

using namespace kiln::rt;
using namespace kiln::rt::cuda;

static Instance &instanceOf(kiln_ctx *ctx) { return *reinterpret_cast<Instance *>(ctx); }

int32_t kiln_device_upload(kiln_ctx *ctx, void *to, const void *from, int64_t bytes) {
  Device &device = deviceOf(instanceOf(ctx));
  const Driver &driver = device.driver;
  if (bytes == 0)
    return KILN_OK;
  bool isThere = false;
  Result result = isOnDevice(device, from, isThere);
  if (!result)
    result = isThere ? driver.cuMemcpyDtoDAsync_v2(address(to), address(from), size_t(bytes),
                                                   device.stream)
                     : driver.cuMemcpyHtoDAsync_v2(address(to), from, size_t(bytes), device.stream);
  return result ? failCall(instanceOf(ctx), "an argument cannot be copied to the GPU", result)
                : KILN_OK;
}

int32_t kiln_device_download(kiln_ctx *ctx, void *to, const void *from, int64_t bytes) {
  Device &device = deviceOf(instanceOf(ctx));
  const Driver &driver = device.driver;
  if (bytes == 0)
    return KILN_OK;
  bool isThere = false;
  Result result = isOnDevice(device, to, isThere);
  if (!result)
    result = isThere ? driver.cuMemcpyDtoDAsync_v2(address(to), address(from), size_t(bytes),
                                                   device.stream)
                     : driver.cuMemcpyDtoHAsync_v2(to, address(from), size_t(bytes), device.stream);
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
  Device &device = deviceOf(instanceOf(ctx));
  if (Result result =
          device.driver.cuMemcpyDtoHAsync_v2(to, address(from), size_t(bytes), device.stream))
    return failCall(instanceOf(ctx), "what decides on a step cannot be copied from the GPU",
                    result);
  return finish(instanceOf(ctx));
}

int32_t kiln_device_assert(kiln_ctx *ctx, const void *place) {
  uint8_t value = 0;
  if (int32_t status = kiln_device_fetch(ctx, &value, place, 1))
    return status;
  return value ? KILN_OK : KILN_INDEX_OUT_OF_RANGE;
}

namespace {
/// What the driver knows of a tensor; it looks the same nowhere else.
struct alignas(64) TensorMap {
  uint8_t bytes[128];
};
} // namespace

/// Extents, strides and boxes were seen to when the kernel was compiled, but for how large a
/// tensor is: places in it have 32 bits, with a sign.
static kiln_status makeMap(Instance &instance, int32_t launch, const kiln_device_tensor &tensor,
                           void *address, TensorMap &map) {
  constexpr int32_t bytes = 0, pairs = 1; // types, of which the copies see the size alone
  constexpr int32_t noInterleave = 0, lines128 = 3, by128 = 2, zeros = 0;
  uint64_t extents[3], strides[2];
  uint32_t box[3], steps[3];
  for (int64_t i = 0; i < tensor.rank; ++i) {
    if (tensor.extents[i] > INT32_MAX) {
      beginOfLaunch(instance, launch)
          << "cannot be launched: expected at most " << int64_t(INT32_MAX)
          << " rows, columns, steps and batches of what it multiplies, got " << tensor.extents[i]
          << "; lower the dimensions, or compile the model for a plainer target, such as "
             "cuda:sm_90";
      return KILN_TOO_LARGE;
    }
    extents[i] = uint64_t(tensor.extents[i]);
    box[i] = uint32_t(tensor.box[i]);
    steps[i] = 1;
    if (i)
      strides[i - 1] = uint64_t(tensor.strides[i - 1]);
  }
  Result result = deviceOf(instance).driver.cuTensorMapEncodeTiled(
      &map, tensor.element_bytes == 1 ? bytes : pairs, uint32_t(tensor.rank), address, extents,
      strides, box, steps, noInterleave, lines128, by128, zeros);
  return result ? failLaunch(instance, launch, "cannot be launched", result) : kiln_status(KILN_OK);
}

int32_t kiln_device_launch(kiln_ctx *ctx, int32_t launch, int32_t function, int64_t blocks,
                           int32_t threads, int64_t *arguments, int32_t count, int32_t tensors) {
  // Kernels of more are refused when they are compiled, and take no more than two factors.
  constexpr int32_t mostArguments = 512, mostTensors = 2;
  Device &device = deviceOf(instanceOf(ctx));
  if (blocks == 0)
    return KILN_OK;
  void *places[mostArguments + mostTensors];
  for (int32_t i = 0; i < count && i < mostArguments; ++i)
    places[i] = arguments + i;
  TensorMap maps[mostTensors]; // which the launch copies
  auto *forms = reinterpret_cast<const kiln_device_tensor *>(arguments + count);
  for (int32_t i = 0; i < tensors && i < mostTensors; ++i) {
    places[count + i] = &maps[i];
    void *address = pointer(Address(arguments[forms[i].argument]));
    if (kiln_status status = makeMap(instanceOf(ctx), launch, forms[i], address, maps[i]))
      return status;
  }
  Result result = device.driver.cuLaunchKernel(
      device.functions[function], uint32_t(blocks), 1, 1, uint32_t(threads), 1, 1,
      uint32_t(device.code->shared[function]), device.stream, places, nullptr);
  return result ? failLaunch(instanceOf(ctx), launch, "cannot be launched", result) : KILN_OK;
}
