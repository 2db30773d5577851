//===- CudaDriver.cpp - opening libcuda.so.1 ------------------------------===//
#include "runtime/CudaDriver.h"

#include "runtime/Libc.h"

namespace kiln::rt::cuda {

const char *Driver::nameOf(Result result) {
  const char *name = nullptr, *culprit = failed;
  bool known = cuGetErrorName && !cuGetErrorName(result, &name) && name;
  failed = culprit;
  return known ? name : "an unknown error";
}

kiln_status loadDriver(Driver &driver, TextWriter &text) {
  void *library = dlopen("libcuda.so.1", libc::dlNow);
  if (!library) {
    text << "there is no NVIDIA driver: 'libcuda.so.1' cannot be loaded; install the driver, or "
            "compile the model for a processor beside the GPU";
    return KILN_NO_DEVICE;
  }
  const char *missing = nullptr;
#define KILN_CUDA(name, ...)                                                                       \
  driver.name.set(dlsym(library, #name), #name, &driver.failed);                                   \
  if (!driver.name)                                                                                \
    missing = #name;
#define KILN_CUDA_LATER(name, ...) driver.name.set(dlsym(library, #name), #name, &driver.failed);
#include "runtime/CudaDriver.def"
  if (missing) {
    text << "the NVIDIA driver is too old: it has no '" << missing << "'; install a newer one";
    return KILN_NO_DEVICE;
  }
  if (Result result = driver.cuInit(0)) {
    text << "the NVIDIA driver does not start: " << driver.nameOf(result) << " in " << driver.failed
         << "; nvidia-smi tells more";
    return KILN_NO_DEVICE;
  }
  return KILN_OK;
}

} // namespace kiln::rt::cuda
