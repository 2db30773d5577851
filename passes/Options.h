//===- Options.h - what a user can ask of the compiler ---------*- C++ -*-===//
//
// One struct for all stages; kilnc and kiln-opt fill it from their flags, passes read it. No pass
// has a flag of its own.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_PASSES_OPTIONS_H
#define KILN_PASSES_OPTIONS_H

#include <cstdint>
#include <map>
#include <string>

namespace kiln {

/// Who may generate kernels.
enum class Backend : uint8_t { Automatic, Halide, LLVM };

struct Options {
  int optLevel = 2;                     ///< -O0 … -O2
  Backend backend = Backend::Automatic; ///< --backend
  std::string target = "native";        ///< whose measurements decide between the generators
  bool halideAvailable = true;          ///< whether the plug-in was found
  bool isForDevices = false;            ///< every --target is a GPU: kernels are for those
  std::string quantize;                 ///< --quantize=int8:32, int8-dynamic: for all weights
  std::string
      prune; ///< --prune=0.8, 2:4, block16x1:0.75, channels:0.3, 2:4-wanda or 2:4-compensated
  std::string fastConv = "auto";      ///< --fast-conv: off, f2, f4
  std::string requireError;           ///< --require-error=0.01
  std::map<std::string, int64_t> fix; ///< --fix N=1: dimensions that become numbers
  std::map<std::string, int64_t> max; ///< --max N=64: upper bounds of dimensions
};

} // namespace kiln

#endif // KILN_PASSES_OPTIONS_H
