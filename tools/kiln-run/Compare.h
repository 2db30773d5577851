//===- Compare.h - how far results are from others -------------*- C++ -*-===//
#ifndef KILN_TOOLS_KILN_RUN_COMPARE_H
#define KILN_TOOLS_KILN_RUN_COMPARE_H

#include "tools/kiln-run/Program.h"

#include "ir/Tensor.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace kiln::run {

/// How far a tensor is from a reference.
struct Distance {
  double relative = 0; ///< the norm of the difference over that of the reference
  double cosine = 1;   ///< of the angle between them; NaN beside one of zeros alone
  /// Signal to noise in dB; infinite where nothing differs.
  double sqnr() const;
};

/// Elements that are equal, or NaN in both, do not differ. Infinite where shapes differ, or one has
/// NaN or an infinity and the other has not.
Distance distance(const ir::Tensor &reference, const ir::Tensor &tensor);

/// A limit of relative errors: a number above 0, or a file that `kilnc --ledger` wrote for a model
/// with a required error.
llvm::Expected<double> readLimit(llvm::StringRef text);

struct CompareOptions {
  /// NAME=FILE.npy for one result; FILE.npz for those whose names it holds; a library, model or IR
  /// for all, with the same arguments.
  std::vector<std::string> references;
  double tolerance = 1e-4;     ///< of max|a-b| / max|b|, unless:
  std::optional<double> limit; ///< Distance::relative is below it
  /// Opens a library, model or IR.
  llvm::function_ref<llvm::Expected<std::unique_ptr<Program>>(llvm::StringRef)> open;
};

/// A call that was made.
struct Call {
  const Entry &entry;
  const Dims &dims;
  llvm::ArrayRef<Value> arguments, results;
  unsigned times = 1; ///< how often, since a state may be another each time
};

/// Writes a line for each result that was compared; an error for the worst one that is too far.
llvm::Error compareResults(llvm::raw_ostream &os, const Call &call, const CompareOptions &options);

/// The result that an option's NAME=FILE means, and the file.
llvm::Expected<std::pair<size_t, llvm::StringRef>>
findResult(const Entry &entry, llvm::StringRef option, llvm::StringRef text);

/// Zeros in the shapes of the entry point's results. Dimensions that values decide count as 0.
llvm::Expected<std::vector<Value>> makeResults(const Entry &entry, Dims dims);

} // namespace kiln::run

#endif // KILN_TOOLS_KILN_RUN_COMPARE_H
