//===- StoreFile.h - the weights beside an emitted module ------*- C++ -*-===//
//
// A .kwts file is a safetensors file whose tensors are named by their content hashes.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_FRONTEND_WEIGHTS_STOREFILE_H
#define KILN_FRONTEND_WEIGHTS_STOREFILE_H

#include "ir/WeightStore.h"

#include "llvm/Support/Error.h"

namespace kiln {

/// Writes these entries of the store, each once, to a temporary file that is then renamed. Equal
/// sets of hashes give equal bytes. The data is aligned to the elements' sizes.
llvm::Error writeStore(llvm::StringRef path, const WeightStore &store,
                       llvm::ArrayRef<std::string> hashes);

/// Adds the file's tensors, mapped, to the store. An error if one has other content than its name
/// says.
llvm::Error readStore(llvm::StringRef path, WeightStore &store);

} // namespace kiln

#endif // KILN_FRONTEND_WEIGHTS_STOREFILE_H
