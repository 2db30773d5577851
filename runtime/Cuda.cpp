//===- Cuda.cpp - instances on a CUDA device ------------------------------===//
//
// What an instance holds of a device: a context, current only while a call needs it, a stream, on
// which all is queued, code, and memory.
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
  if (Result result = drain(device))
    return failure(device, "the weights cannot be copied to the GPU", result, text);
  instance.ctx.weights = device.weights;
  instance.ctx.state = static_cast<uint8_t *>(pointer(at));
  return KILN_OK;
}

/// Gives back what lies in the device's context.
static void empty(Device &device) {
  const Driver &driver = device.driver;
  if (device.stream)
    drain(device);
  dropGraphs(device);
  for (void *event : device.events)
    if (event)
      driver.cuEventDestroy_v2(event);
  if (device.block)
    driver.cuMemFree_v2(device.block);
  if (device.constant)
    driver.cuMemFree_v2(device.constant);
  if (device.module)
    driver.cuModuleUnload(device.module);
  if (device.stream && device.ownsStream)
    driver.cuStreamDestroy_v2(device.stream);
}

static void close(Instance &instance) {
  Device &device = deviceOf(instance);
  // After a fork the device belongs to the parent.
  if (device.context && instance.processId == getpid()) {
    if (Device::Scope scope(device); !scope.result)
      empty(device);
    if (device.number >= 0)
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

namespace {
/// Where a device's tables begin, in bytes.
struct TableLayout {
  size_t functions, weights, graphs, dims, end;

  explicit TableLayout(const kiln_model_code &code) {
    size_t numDims = 0;
    for (int32_t i = 0; i < code.model->num_entries; ++i)
      numDims += size_t(code.model->entries[i].num_dimensions);
    functions = sizeof(Device);
    weights = functions + size_t(mostFunctions(code)) * sizeof(void *);
    graphs = weights + size_t(code.numWeights) * sizeof(void *);
    dims = graphs + size_t(code.model->num_entries) * Graph::perEntry * sizeof(Graph);
    end = dims + numDims * Graph::perEntry * sizeof(int64_t);
  }
};
} // namespace

/// The memory is zero, as the tables begin.
static Device *makeDevice(uint8_t *memory, const TableLayout &layout, const kiln_model &model) {
  auto *device = new (memory, static_cast<Device *>(nullptr)) Device;
  device->blockBytes = layout.end;
  device->functions = reinterpret_cast<void **>(memory + layout.functions);
  device->weights = reinterpret_cast<const void **>(memory + layout.weights);
  device->graphs = reinterpret_cast<Graph *>(memory + layout.graphs);
  device->numGraphs = model.num_entries * Graph::perEntry;
  auto *dims = reinterpret_cast<int64_t *>(memory + layout.dims);
  for (int32_t i = 0; i < device->numGraphs; ++i) {
    device->graphs[i].dims = dims;
    dims += model.entries[i / Graph::perEntry].num_dimensions;
  }
  return device;
}

static kiln_status open(Instance &instance, const kiln_device_options &options, TextWriter &text) {
  const kiln_model_code &code = *instance.code;
  TableLayout layout(code);
  void *memory = instance.allocator.take(layout.end);
  if (!memory) {
    text << "no memory for the " << int64_t(layout.end) << " bytes of a device's tables";
    return KILN_OUT_OF_MEMORY;
  }
  Device *device = makeDevice(static_cast<uint8_t *>(memory), layout, *code.model);
  instance.device = device;
  int32_t target = -1;
  kiln_status status = loadDriver(device->driver, text);
  if (!status)
    status = chooseDevice(*device, code, options, target, text);
  if (!status)
    status = loadCode(*device, instance.profile.isOn(), text);
  if (!status)
    status = moveWeights(instance, text);
  if (status) {
    close(instance);
    return status;
  }
  device->usesGraphs = device->driver.hasGraphs() && !options.no_graphs && !instance.profile.isOn();
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
  // What was queued, and the graphs, are for the memory that is there.
  if (Result result = device.isQueued ? drain(device) : success)
    return failure(device, "a call that was queued failed", result, text);
  dropGraphs(device);
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
    result = drain(device);
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
    result = drain(device);
  TextWriter text = instance.fail();
  return result ? failure(device, "the state cannot be read", result, text) : kiln_status(KILN_OK);
}

} // namespace kiln::rt::cuda

using namespace kiln::rt;
using namespace kiln::rt::cuda;

extern const kiln_device_api kiln_cuda_api = {open, close, reserve,  begin,   end,
                                              tick, wait,  setState, getState};
