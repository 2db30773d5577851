//===- Setup.cpp - what a program of tests needs of the build -------------===//

#include "test/conformance/Setup.h"

#include "passes/Pipeline.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace kiln;
using namespace kiln::conformance;

static std::vector<Config> matrix(bool halide) {
  std::vector<Config> cells;
  std::vector<std::string> targets = {"x86-64-v3", "native"};
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
    targets.push_back("x86-64-v4");
  for (int level : {2, 0, 1})
    for (bool useHalide : {false, true})
      for (const std::string &target : targets)
        if (!useHalide || halide)
          cells.push_back({level, useHalide, target});
  return cells;
}

Setup::Setup(const char *program, bool useHalide, bool emulatesCUDA) {
  registerPasses();
  static int anchor;
  std::string self = llvm::sys::fs::getMainExecutable(program, &anchor);
  llvm::StringRef build = llvm::sys::path::parent_path(
      llvm::sys::path::parent_path(llvm::sys::path::parent_path(self)));
  common.stdDir = (build + "/share/kiln/std").str();
  std::string why;
  if (useHalide && !emulatesCUDA)
    halide = halide::Generator::load((build + "/lib/kiln/libkiln-halide.so").str(), why);
  common.halide = halide.get();
  common.driver = (build + "/test/gpu/driver/libcuda.so.1").str();
  if (emulatesCUDA)
    for (int level : {2, 0})
      cells.push_back({level, false, "cuda:sm_80"});
  else
    cells = matrix(halide != nullptr);
}
