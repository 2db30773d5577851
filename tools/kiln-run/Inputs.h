//===- Inputs.h - the values of arguments ----------------------*- C++ -*-===//
#ifndef KILN_TOOLS_KILN_RUN_INPUTS_H
#define KILN_TOOLS_KILN_RUN_INPUTS_H

#include "tools/kiln-run/Image.h"

namespace kiln::run {

/// Splits "NAME=REST" where NAME is one of `names`; anything else is REST without a name.
std::pair<llvm::StringRef, llvm::StringRef> splitName(llvm::StringRef text,
                                                      llvm::ArrayRef<TensorSpec> names);

/// Reads the only tensor of a .npy file (or of any other file of weights).
llvm::Expected<Value> readTensor(llvm::StringRef path, llvm::StringRef what);

/// All tensors of a file, with their names.
llvm::Expected<std::vector<std::pair<std::string, Value>>> readTensors(llvm::StringRef path,
                                                                       llvm::StringRef what);

struct InputOptions {
  ImageOptions image;
  std::string tokenizer; ///< of sentences; empty: none
};

/// Makes the arguments of a call from `--input` texts ("image=x.npy", "x.png", "ids=text:Hello",
/// "mask=text-mask:ids", "random:7", "zeros") and adds to `dims` the dimensions that follow from
/// their shapes. "random" and "zeros" without a name serve every argument that has no text of its
/// own; several sentences for one argument are rows.
llvm::Expected<std::vector<Value>> makeInputs(const Entry &entry, llvm::ArrayRef<std::string> texts,
                                              Dims &dims, const InputOptions &options);

} // namespace kiln::run

#endif // KILN_TOOLS_KILN_RUN_INPUTS_H
