//===- Bind.h - weights of files to weights of a model ---------*- C++ -*-===//
#ifndef KILN_FRONTEND_WEIGHTS_BIND_H
#define KILN_FRONTEND_WEIGHTS_BIND_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace kiln {

struct BindOptions {
  std::vector<std::string> sources; ///< files, or one of "zeros" and "random:SEED"
  std::string prefix;               ///< stands before each name in the files
  bool allowUnused = false;         ///< tensors that the model does not read are no error
  /// Patterns with '*' and what the file's names that fit become, '*' standing for what it stood
  /// for; all are tried, in order, each on the outcome of the one before.
  std::vector<std::pair<std::string, std::string>> renames = {};
};

/// Gives every kiln.weight of the module its bytes (attribute `hash`, entry in the weight store).
/// Missing, unused and misshapen tensors are one error that lists names and both shapes. Values are
/// widened where that is exact (f16 and bf16 to wider floats, integers to wider ones).
llvm::Error bindWeights(mlir::ModuleOp module, const BindOptions &options);

/// Whether `text` fits the pattern, in which '*' stands for any characters.
bool matchesPattern(llvm::StringRef pattern, llvm::StringRef text);

/// The name that `text` becomes, or nothing if it does not fit the pattern. The n-th '*' of the
/// replacement is what the n-th one of the pattern stood for.
std::optional<std::string> renamed(llvm::StringRef pattern, llvm::StringRef replacement,
                                   llvm::StringRef text);

} // namespace kiln

#endif // KILN_FRONTEND_WEIGHTS_BIND_H
