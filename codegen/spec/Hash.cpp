//===- Hash.cpp - names of kernels ----------------------------------------===//
//
// Apart from the rest because the Halide plug-in has no LLVM to link.
//
//===----------------------------------------------------------------------===//

#include "codegen/spec/KernelSpec.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"

std::string kiln::spec::hash(const KernelSpec &spec) {
  std::string text = print(spec);
  std::array<uint8_t, 32> digest = llvm::SHA256::hash(
      llvm::ArrayRef(reinterpret_cast<const uint8_t *>(text.data()), text.size()));
  return llvm::toHex(llvm::ArrayRef(digest).take_front(16), /*LowerCase=*/true);
}
