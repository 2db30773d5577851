//===- WeightsObject.h - packed weights as an ELF object --------*- C++ -*-===//
#ifndef KILN_CODEGEN_LINK_WEIGHTSOBJECT_H
#define KILN_CODEGEN_LINK_WEIGHTSOBJECT_H

#include "codegen/link/Link.h"

#include "llvm/Support/raw_ostream.h"

namespace kiln::link {

/// A symbol of the object and the size of its bytes.
struct WeightSymbol {
  std::string name;
  uint64_t bytes;
};

/// Streams a relocatable ELF64 object for x86-64: one read-only, page-aligned section `.lrodata` of
/// large data, each weight at a multiple of 64 bytes under a hidden symbol. Fails if the source
/// gives another number of bytes than announced. Offsets are 64-bit throughout.
llvm::Error writeWeightsObject(llvm::raw_pwrite_stream &os, llvm::ArrayRef<WeightSymbol> symbols,
                               WeightSource source);

} // namespace kiln::link

#endif // KILN_CODEGEN_LINK_WEIGHTSOBJECT_H
