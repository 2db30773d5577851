//===- CudaOpen.cpp - choosing a device and loading code onto it ----------===//
#include "runtime/Cuda.h"

namespace kiln::rt::cuda {

kiln_status failure(const Device &device, const char *what, Result result, TextWriter &text) {
  text << what << ": the NVIDIA driver reports " << device.driver.nameOf(result);
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

kiln_status chooseDevice(Device &device, const kiln_model_code &code, int32_t &target,
                         TextWriter &text) {
  const Driver &driver = device.driver;
  int32_t count = 0, capability = 0;
  Result result = driver.cuDeviceGetCount(&count);
  for (int32_t i = 0; i < count && !result; ++i) {
    int32_t number = 0, major = 0, minor = 0;
    if ((result = driver.cuDeviceGet(&number, i)) ||
        (result = driver.cuDeviceGetAttribute(&major, capabilityMajor, number)) ||
        (result = driver.cuDeviceGetAttribute(&minor, capabilityMinor, number)))
      break;
    capability = 10 * major + minor;
    int32_t found = targetFor(code, capability);
    if (found < 0)
      continue;
    target = found;
    device.number = number;
    device.code = code.targets[target].device;
    return KILN_OK;
  }
  if (result)
    text << "the NVIDIA driver finds no GPU: " << driver.nameOf(result)
         << "; nvidia-smi tells more";
  else if (count == 0)
    text << "the NVIDIA driver finds no GPU; nvidia-smi and CUDA_VISIBLE_DEVICES tell which "
            "there are";
  else {
    text << "no GPU here runs the library's code: expected one for ";
    listTargets(code, text);
    text << ", got compute capability " << int64_t(capability / 10) << "."
         << int64_t(capability % 10) << "; compile the model for that";
  }
  return KILN_NO_DEVICE;
}

kiln_status loadCode(Device &device, TextWriter &text) {
  const Driver &driver = device.driver;
  int32_t number = device.number;
  device.number = -1;
  if (Result result = driver.cuDevicePrimaryCtxRetain(&device.context, number)) {
    device.context = nullptr;
    return failure(device, "the GPU cannot be used", result, text);
  }
  device.number = number;
  Device::Scope scope(device);
  if (scope.result)
    return failure(device, "the GPU cannot be used", scope.result, text);
  if (Result result = driver.cuStreamCreate(&device.stream, nonBlocking)) {
    device.stream = nullptr;
    return failure(device, "the GPU gives no stream", result, text);
  }
  Result result = driver.cuModuleLoadData(&device.module, device.code->image);
  if (result)
    device.module = nullptr;
  if (result == tooNewImage || result == noBinary || result == invalidImage) {
    text << "the NVIDIA driver is too old for the library's code (" << driver.nameOf(result)
         << "); install a newer one";
    return KILN_NO_DEVICE;
  }
  if (result)
    return failure(device, "the GPU does not take the library's code", result, text);
  for (int64_t i = 0; i < device.code->num_functions; ++i) {
    const char *name = device.code->functions[i];
    if (Result wrong = driver.cuModuleGetFunction(&device.functions[i], device.module, name))
      return failure(device, name, wrong, text);
  }
  return KILN_OK;
}

} // namespace kiln::rt::cuda
