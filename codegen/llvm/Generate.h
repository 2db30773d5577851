//===- Generate.h - kernels as LLVM bitcode --------------------*- C++ -*-===//
//
// The LLVM generator: takes any well-formed KernelSpec and gives bitcode of one function
//   int32_t SYMBOL(ctx, void *const *bufs, const int64_t *dims)
// which calls nothing but kiln_parallel_for.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_LLVM_GENERATE_H
#define KILN_CODEGEN_LLVM_GENERATE_H

#include "codegen/spec/KernelSpec.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace llvm {
class TargetMachine;
}

namespace kiln::codegen {

/// What the generator knows of the machine.
struct TargetFacts {
  std::string triple = "x86_64-unknown-linux-gnu";
  std::string cpu = "x86-64-v3"; ///< LLVM's name
  std::string features;          ///< LLVM's list: "+avx512f,-x87"
  int vectorBytes = 32;          ///< width of a vector register
  int vectorRegisters = 16;
  int64_t cacheBytes = 2 << 20; ///< of the second cache
};

struct GeneratedKernel {
  std::string bitcode;
  bool isParallel = false; ///< whether it may call kiln_parallel_for
  int64_t stackBytes = 0;  ///< of intermediate stages kept whole, at most 65536
  int64_t keptBytes = 0;   ///< of widened weights or transforms that a task keeps
};

/// What functions are made of for a target (of those that ir/target has).
spec::MathSupport mathSupport(const TargetFacts &facts);

/// LLVM's machine for the target, for code at any address. Thread-safe.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>> makeMachine(const TargetFacts &target);

/// Generates the kernel. The spec is verified first; transcendental functions are expanded here.
/// `optLevel` 0 … 3 is LLVM's effort, never the meaning. Equal arguments give equal bytes.
/// Thread-safe.
llvm::Expected<GeneratedKernel> generateLLVM(const spec::KernelSpec &spec,
                                             const TargetFacts &target, llvm::StringRef symbol,
                                             int optLevel);

} // namespace kiln::codegen

#endif // KILN_CODEGEN_LLVM_GENERATE_H
