//===- Kernels.cpp - speed of the templates on this core ------------------===//
//
// Prints GFLOP/s of each shape on one thread, best of many runs over inputs that stay in place.
// Compare with the core's peak (tools: the roofline program beside the benchmarks).
//
//===----------------------------------------------------------------------===//

#include "test/unit/kernels/Harness.h"
#include "test/unit/kernels/Specs.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace kiln;
using namespace kiln::test;

static void time(const char *name, const KernelSpec &spec, double flops, bool wantsAssembly) {
  Compiled kernel = compile(spec, wantsAssembly);
  if (!kernel.run) {
    std::printf("%-32s %s\n", name, kernel.error.c_str());
    return;
  }
  if (wantsAssembly)
    std::fputs(kernel.assembly.c_str(), stderr);
  Buffers buffers(spec, {}, 1);
  std::vector<void *> pointers = buffers.pointers();
  double best = 1e9, total = 0;
  for (int i = 0; i < 2000 && (total < 0.4 || i < 3); ++i) {
    auto start = std::chrono::steady_clock::now();
    kernel.run(nullptr, pointers.data(), nullptr);
    double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, seconds);
    total += seconds;
  }
  std::printf("%-32s %9.1f us %8.1f GFLOP/s  (generated in %.0f ms)\n", name, best * 1e6,
              flops / best / 1e9, kernel.milliseconds);
  std::fflush(stdout);
}

/// Arguments: part of a name to run (all if none); a second one prints the assembly to stderr.
int main(int argc, char **argv) {
  std::string wanted = argc > 1 ? argv[1] : "";
  auto run = [&](std::string name, const KernelSpec &spec, double flops) {
    if (name.find(wanted) != std::string::npos)
      time(name.c_str(), spec, flops, argc > 2);
  };
  auto convolutionOf = [&](const char *name, Convolution c) {
    double points = 2.0 * c.batch * c.outHeight() * c.outWidth() * c.kernel * c.kernel * c.in;
    run(name, convolution(c), points * c.out);
  };
  auto depthwiseOf = [&](const char *name, Convolution c) {
    double points = 2.0 * c.batch * c.outHeight() * c.outWidth() * c.kernel * c.kernel * c.in;
    run(name, depthwise(c), points);
  };
  run("linear 128x768x3072", linear(128, 3072, 768), 2.0 * 128 * 768 * 3072);
  run("linear 128x3072x768", linear(128, 768, 3072), 2.0 * 128 * 768 * 3072);
  run("linear 1x2048x1000", linear(1, 1000, 2048), 2.0 * 2048 * 1000);
  convolutionOf("conv 56x56x64 3x3 guarded", {1, 56, 56, 64, 64, 3, 1, true});
  convolutionOf("conv 56x56x64 3x3 padded", {1, 58, 58, 64, 64, 3, 1, false});
  convolutionOf("conv 28x28x128 3x3 guarded", {1, 28, 28, 128, 128, 3, 1, true});
  convolutionOf("conv 28x28x128 3x3 padded", {1, 30, 30, 128, 128, 3, 1, false});
  convolutionOf("conv 14x14x256 3x3 guarded", {1, 14, 14, 256, 256, 3, 1, true});
  convolutionOf("conv 14x14x256 3x3 padded", {1, 16, 16, 256, 256, 3, 1, false});
  convolutionOf("conv 7x7x512 3x3 guarded", {1, 7, 7, 512, 512, 3, 1, true});
  convolutionOf("conv 56x56 64-256 1x1", {1, 56, 56, 64, 256, 1, 1, false});
  convolutionOf("conv 7x7 512-2048 1x1", {1, 7, 7, 512, 2048, 1, 1, false});
  convolutionOf("conv 224x224x3 7x7/2 guarded", {1, 224, 224, 3, 64, 7, 2, true});
  depthwiseOf("depthwise 112x112x32 guarded", {1, 112, 112, 32, 32, 3, 1, true});
  depthwiseOf("depthwise 112x112x32 padded", {1, 114, 114, 32, 32, 3, 1, false});
  depthwiseOf("depthwise 14x14x576 guarded", {1, 14, 14, 576, 576, 3, 1, true});
  run("softmax 128x1000", softmax(128, 1000), 128.0 * 1000);
  run("matmul 12x128x128x64", matmul(12, 128, 128, 64), 2.0 * 12 * 128 * 128 * 64);
}
