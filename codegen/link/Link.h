//===- Link.h - from Program and kernels to a library -----------*- C++ -*-===//
#ifndef KILN_CODEGEN_LINK_LINK_H
#define KILN_CODEGEN_LINK_LINK_H

#include "codegen/host/Host.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace kiln::link {

/// One compiled kernel.
struct KernelCode {
  std::string symbol;  ///< as Launch::kernel names it
  std::string bitcode; ///< a module that defines `symbol`; its other definitions stay private
};

/// All kernels of the program for one processor, or for a device, whose kernels its target has.
struct TargetKernels {
  host::Target target;
  std::vector<KernelCode> kernels; ///< none for a device
};

/// Gives the packed bytes of weight `index` in pieces, each to `sink`; called once for each weight,
/// in order, so that one weight at a time is in memory.
using WeightSource = llvm::function_ref<llvm::Error(
    size_t index, llvm::function_ref<void(llvm::ArrayRef<uint8_t>)> sink)>;

enum class OutputKind : uint8_t { Shared, Archive, Object };

struct LibraryInputs {
  const host::Program *program = nullptr;
  std::vector<TargetKernels> targets; ///< plainest first
  WeightSource weights;               ///< may be null if the program has none
  std::string outputPath;
  OutputKind kind = OutputKind::Shared;
  std::string headerPath;   ///< empty: no header
  std::string mapPath;      ///< empty: no map; a text file with the size of each section and symbol
  bool keepSymbols = false; ///< keep the symbol table, for profilers
};

/// The kind that a path's ending asks for (.a, .o; anything else is shared).
OutputKind kindOf(llvm::StringRef path);

/// Compiles and links a library and writes its header. Output is written under a temporary name and
/// renamed, so a failure leaves no half a file. Equal inputs give equal bytes.
llvm::Error buildLibrary(const LibraryInputs &inputs);

} // namespace kiln::link

#endif // KILN_CODEGEN_LINK_LINK_H
