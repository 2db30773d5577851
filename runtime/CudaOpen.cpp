//===- CudaOpen.cpp - choosing a device and loading code onto it ----------===//
#include "runtime/Cuda.h"

namespace kiln::rt::cuda {

kiln_status failure(Device &device, const char *what, Result result, TextWriter &text) {
  text << what << ": the NVIDIA driver reports " << device.driver.nameOf(result) << " in "
       << device.driver.failed;
  if (result == outOfMemory) {
    text << "; lower the bounds of the model's dimensions, or end what else uses the GPU";
    return KILN_OUT_OF_MEMORY;
  }
  text << "; destroy the instance and make a new one, and if that fails, start the process anew";
  return KILN_DEVICE_FAILED;
}

/// The last target whose code runs on a capability; -1 if there is none.
static int32_t targetFor(const kiln_model_code &code, int32_t capability) {
  for (int32_t i = code.model->num_targets; i-- > 0;)
    if (const kiln_device_code *device = code.targets[i].device)
      if (device->capability == capability || (!device->exact && device->capability < capability))
        return i;
  return -1;
}

/// "cuda:sm_80, cuda:sm_90a"
static void listTargets(const kiln_model_code &code, TextWriter &text) {
  const char *before = "";
  for (int32_t i = 0; i < code.model->num_targets; ++i)
    if (code.targets[i].device) {
      text << before << code.model->targets[i];
      before = ", ";
    }
}

/// Looks whether a device runs code of the library.
static Result tryDevice(Device &device, const kiln_model_code &code, int32_t number,
                        int32_t &capability, int32_t &target) {
  const Driver &driver = device.driver;
  int32_t major = 0, minor = 0;
  if (Result result = driver.cuDeviceGetAttribute(&major, capabilityMajor, number))
    return result;
  if (Result result = driver.cuDeviceGetAttribute(&minor, capabilityMinor, number))
    return result;
  capability = device.capability = 10 * major + minor;
  target = targetFor(code, capability);
  if (target >= 0)
    device.code = code.targets[target].device;
  return success;
}

/// The text of a device that has no code in the library.
static kiln_status refuse(const kiln_model_code &code, int32_t capability, const char *which,
                          TextWriter &text) {
  text << which << " the library's code: expected one for ";
  listTargets(code, text);
  text << ", got compute capability " << int64_t(capability / 10) << "." << int64_t(capability % 10)
       << "; compile the model for that";
  return KILN_NO_DEVICE;
}

/// That of the caller's context.
static kiln_status useContext(Device &device, const kiln_model_code &code, void *context,
                              int32_t ordinal, int32_t &target, TextWriter &text) {
  device.context = context;
  int32_t number = -1, asked = -1, capability = 0;
  Device::Scope scope(device);
  Result result = scope.result ? scope.result : device.driver.cuCtxGetDevice(&number);
  if (!result && ordinal >= 0)
    result = device.driver.cuDeviceGet(&asked, ordinal);
  if (!result)
    result = tryDevice(device, code, number, capability, target);
  if (result)
    return failure(device, "the context of the options cannot be used", result, text);
  if (ordinal >= 0 && asked != number) {
    text << "the context of the options is of another GPU than 'device' asks for";
    return KILN_INVALID_ARGUMENT;
  }
  if (target < 0)
    return refuse(code, capability, "the GPU of the options' context does not run", text);
  return KILN_OK;
}

/// The first device that runs code of the library, among those from `first` to before `end`.
static Result findDevice(Device &device, const kiln_model_code &code, int32_t first, int32_t end,
                         int32_t &number, int32_t &capability, int32_t &target) {
  for (int32_t i = first; i < end && target < 0; ++i) {
    if (Result result = device.driver.cuDeviceGet(&number, i))
      return result;
    if (Result result = tryDevice(device, code, number, capability, target))
      return result;
  }
  return success;
}

kiln_status chooseDevice(Device &device, const kiln_model_code &code,
                         const kiln_device_options &options, int32_t &target, TextWriter &text) {
  Driver &driver = device.driver;
  int32_t ordinal = options.device > 0 ? options.device - 1 : -1;
  device.stream = options.cuda_stream;
  device.ownsStream = !options.cuda_stream;
  if (options.cuda_context)
    return useContext(device, code, options.cuda_context, ordinal, target, text);
  int32_t count = 0, capability = 0, number = -1;
  Result result = driver.cuDeviceGetCount(&count);
  if (!result && ordinal < count)
    result = findDevice(device, code, ordinal < 0 ? 0 : ordinal, ordinal < 0 ? count : ordinal + 1,
                        number, capability, target);
  if (result) {
    text << "the NVIDIA driver finds no GPU: " << driver.nameOf(result) << " in " << driver.failed
         << "; nvidia-smi tells more";
    return KILN_NO_DEVICE;
  }
  if (count == 0) {
    text << "the NVIDIA driver finds no GPU; nvidia-smi and CUDA_VISIBLE_DEVICES tell which there "
            "are";
    return KILN_NO_DEVICE;
  }
  if (ordinal >= count) {
    text << "the options ask for the GPU of ordinal " << int64_t(ordinal) << ", but there are "
         << int64_t(count) << "; nvidia-smi and CUDA_VISIBLE_DEVICES tell which";
    return KILN_NO_DEVICE;
  }
  if (target < 0)
    return refuse(
        code, capability,
        ordinal < 0 ? "no GPU here runs" : "the GPU that the options ask for does not run", text);
  if (Result wrong = driver.cuDevicePrimaryCtxRetain(&device.context, number)) {
    device.context = nullptr;
    return failure(device, "the GPU cannot be used", wrong, text);
  }
  device.number = number;
  return KILN_OK;
}

/// Lets launches of a function ask for the memory that its blocks share.
static kiln_status allowShared(Device &device, int64_t function, TextWriter &text) {
  constexpr int32_t withoutAsking = 48 << 10;
  Driver &driver = device.driver;
  int32_t bytes = device.code->shared[function];
  if (bytes <= withoutAsking)
    return KILN_OK;
  Result result = driver.cuFuncSetAttribute(device.functions[function], mostShared, bytes);
  if (result == invalidValue) {
    text << "the GPU does not give a block the " << int64_t(bytes)
         << " bytes of shared memory that '" << device.code->functions[function] << "' needs ("
         << driver.nameOf(result) << " in " << driver.failed
         << "); compile the model for a plainer target, such as cuda:sm_80";
    return KILN_NO_DEVICE;
  }
  return result ? failure(device, "the GPU gives no shared memory", result, text)
                : kiln_status(KILN_OK);
}

/// Whether the driver does not take a piece of code, for what it is.
static bool isRefusal(Result result) {
  return result == wrongImage || result == noBinary || result == invalidImage ||
         result == tooNewImage;
}

/// Loads machine code that the device may run: that of its major number. Without any, or if it is
/// newer than the driver, the driver compiles the PTX.
static Result loadImage(Device &device) {
  Driver &driver = device.driver;
  const kiln_device_code &code = *device.code;
  Result result = noBinary;
  if (code.cubin && code.capability / 10 == device.capability / 10)
    result = driver.cuModuleLoadData(&device.module, code.cubin);
  if (isRefusal(result))
    result = driver.cuModuleLoadData(&device.module, code.image);
  if (result)
    device.module = nullptr;
  return result;
}

kiln_status loadCode(Device &device, bool isProfiled, TextWriter &text) {
  Driver &driver = device.driver;
  Device::Scope scope(device);
  if (scope.result)
    return failure(device, "the GPU cannot be used", scope.result, text);
  if (Result result =
          device.ownsStream ? driver.cuStreamCreate(&device.stream, nonBlocking) : success) {
    device.stream = nullptr;
    return failure(device, "the GPU gives no stream", result, text);
  }
  for (int i = 0; i < 2 && isProfiled; ++i)
    if (Result result = driver.cuEventCreate(&device.events[i], 0)) {
      device.events[i] = nullptr;
      return failure(device, "the GPU gives no clock", result, text);
    }
  if (device.code->uses_tensors && !driver.cuTensorMapEncodeTiled) {
    text << "the NVIDIA driver is too old: it has no 'cuTensorMapEncodeTiled'; install a newer one";
    return KILN_NO_DEVICE;
  }
  Result result = loadImage(device);
  if (isRefusal(result)) {
    text << "the NVIDIA driver is too old for the library's code (" << driver.nameOf(result)
         << " in " << driver.failed << "); install a newer one";
    return KILN_NO_DEVICE;
  }
  if (result)
    return failure(device, "the GPU does not take the library's code", result, text);
  for (int64_t i = 0; i < device.code->num_functions; ++i) {
    const char *name = device.code->functions[i];
    if (Result wrong = driver.cuModuleGetFunction(&device.functions[i], device.module, name))
      return failure(device, name, wrong, text);
    if (kiln_status status = allowShared(device, i, text))
      return status;
  }
  return KILN_OK;
}

} // namespace kiln::rt::cuda
