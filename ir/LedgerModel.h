//===- LedgerModel.h - what compression did to the whole model -*- C++ -*-===//
#ifndef KILN_IR_LEDGERMODEL_H
#define KILN_IR_LEDGERMODEL_H

#include "ir/Ledger.h"

#include <algorithm>

namespace kiln {

/// The model's outputs on the data, and all of its weights, biases included.
struct LedgerModel {
  std::optional<double> error;    ///< relative, the worst of all results and calls
  std::optional<double> required; ///< what it has to be below
  int64_t calls = 0;
  int64_t bytesBefore = 0, bytesAfter = 0;
  /// What a search for layers to hold back found of one.
  struct Alone {
    std::string layer;
    double error;            ///< of the outputs when only it is compressed
    std::string retreat;     ///< "no pruning", "int8 in groups of 32"; empty if all of it is done
    bool isHeldBack = false; ///< it stays as it was
  };
  std::vector<Alone> alone; ///< the worst first; empty where no search ran
  size_t evaluations = 0;   ///< of the model on the data by that search
  size_t heldBack() const { return std::ranges::count_if(alone, &Alone::isHeldBack); }
  /// Those that lost a part of what was wanted of them.
  size_t retreats() const {
    return std::ranges::count_if(alone, [](const Alone &one) { return !one.retreat.empty(); });
  }
  /// Of a pruned layer, the change of its products on calibration data, relative to their size.
  struct Update {
    std::string layer;
    double pruned;  ///< with the other elements as trained
    double updated; ///< with such as make up for what became zero
  };
  std::vector<Update> updates; ///< of those where that was tried
  /// The same of a layer in fewer bits.
  struct Scaling {
    std::string layer;
    double plain;  ///< with numbers rounded to the nearest
    double scaled; ///< with inputs scaled before
  };
  std::vector<Scaling> scalings; ///< of those where that was tried
};

/// Whether anything was done to it.
inline bool isCompressed(const LedgerRow &row) {
  return !row.pruning.empty() || row.bytesAfter != row.bytesBefore;
}

/// As JSON: the rows, their totals and the whole model.
void print(llvm::raw_ostream &os, const Ledger &ledger, const LedgerModel &model);

} // namespace kiln

#endif // KILN_IR_LEDGERMODEL_H
