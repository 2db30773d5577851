//===- Target.h - facts of instruction sets --------------------*- C++ -*-===//
//
// Plain data about the machines that Kiln compiles for. No LLVM, MLIR or Halide header.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_IR_TARGET_TARGET_H
#define KILN_IR_TARGET_TARGET_H

#include <cstdint>
#include <span>
#include <string_view>

namespace kiln::target {

enum class Kind : uint8_t {
  Processor, ///< runs the library itself
  CUDA,      ///< a GPU beside a processor, which runs the rest of the library
};

/// One instruction-set level, or chip, by name.
struct Target {
  std::string_view name; ///< "x86-64-v3", "cuda:sm_80"
  Kind kind;
  std::string_view triple;       ///< LLVM's
  std::string_view llvmCpu;      ///< of -mcpu: "x86-64-v3", "sm_80"
  std::string_view llvmFeatures; ///< beyond the CPU's: "+avx512vnni"
  std::string_view halide;       ///< Halide's target string; empty: not by Halide
  int lanesF32;                  ///< of one vector register
  int registers;                 ///< vector registers
  /// f32 operations and bytes of memory that a core of this kind reaches, in 10^9 a second: for the
  /// cost model where nothing was measured.
  double peakF32, peakMemory;
  int tileRows,
      tileVectors;      ///< default tile of matrix products: rows x 16-wide vectors (v3: 8-wide)
  int capability = 0;   ///< of a GPU, as in sm_80
  bool isExact = false; ///< the code runs on that very capability, not on later ones
  int sharedBytes = 0;  ///< of a GPU: memory that the threads of a block may share
};

/// The target of a name; null if there is none. "native" is the machine this runs on.
const Target *find(std::string_view name);
/// All of them: processors, then GPUs, each the plainest first.
std::span<const Target> all();
/// The richest known processor that this machine is.
const Target &host();

} // namespace kiln::target

#endif // KILN_IR_TARGET_TARGET_H
