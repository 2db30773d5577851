//===- Ledger.h - what compression did to each layer -----------*- C++ -*-===//
//
// A table without MLIR: one row a layer that has a trained matrix or filter, in the order in which
// passes met them. Passes write it, tools print it.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_IR_LEDGER_H
#define KILN_IR_LEDGER_H

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kiln {

/// One layer. Errors are those of the stored weight against the weight as it was trained (after
/// batch norm went into it), measured over all of its elements.
struct LedgerRow {
  std::string layer;          ///< the parameter's path without ".weight"
  std::string scheme = "f32"; ///< "int8 per channel", "bf16"; "f32" where it was left alone
  std::string pruning;        ///< "magnitude 0.8", "2:4"; empty if nothing was pruned
  int bits = 32;              ///< of a stored element, without its scales
  int64_t elements = 0, zeros = 0;
  int64_t bytesBefore = 0, bytesAfter = 0; ///< scales included
  double signal = 0, error = 0;            ///< sums of squares of the weight and of its change
  /// The change of its products on calibration data, relative to their size, with numbers rounded
  /// to the nearest and with compensation; nothing where that was not tried.
  std::optional<double> nearestError, compensatedError;
  /// Why the layer was left alone, and what of the wish cannot be had.
  std::vector<std::string> reasons;

  double density() const;
  /// The change's size relative to the weight's; 0 of a weight of zeros.
  double relativeError() const;
  /// Signal to noise in dB; nothing where the weight did not change.
  std::optional<double> sqnr() const;
};

/// The rows of one compilation.
class Ledger {
public:
  /// The layer's row; a new one if there is none.
  LedgerRow &row(llvm::StringRef layer);
  const std::vector<LedgerRow> &rows() const { return table; }
  bool empty() const { return table.empty(); }
  void clear();
  /// As JSON: the rows and their totals.
  void print(llvm::raw_ostream &os) const;

private:
  std::vector<LedgerRow> table;
  llvm::StringMap<size_t> byLayer;
};

} // namespace kiln

#endif // KILN_IR_LEDGER_H
