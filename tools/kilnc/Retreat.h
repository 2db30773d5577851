//===- Retreat.h - what a layer gives up for a required error --*- C++ -*-===//
//
// Steps by which layers are compressed less: without pruning, in a wider scheme, in floats. Each
// has a part of the error that the layer alone makes, measured on the outputs: its parts are as the
// squares of changes of the weight, of the form with the step and of the one without.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_TOOLS_KILNC_RETREAT_H
#define KILN_TOOLS_KILNC_RETREAT_H

#include "ir/LedgerModel.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/ArrayRef.h"

#include <string>
#include <vector>

namespace kiln {

/// What of a layer's rules is not done, and why: a rule `hold` (passes/compress/Rules.h).
struct Held {
  enum class Part : uint8_t { All, Pruning, Quantization } part = Part::All;
  std::string layer, reason;
  int64_t wider = 0; ///< of Quantization: so many schemes wider; 0: not quantised
  /// Appends it to the module's rules.
  void addTo(mlir::ModuleOp module) const;
};

/// The ledger of the same layers in several forms.
struct Forms {
  std::vector<LedgerRow> wanted;
  std::vector<LedgerRow> pruned;             ///< without quantisation; empty if no layer has both
  std::vector<std::vector<LedgerRow>> wider; ///< in the next scheme, and in the one behind it
  /// The squares of what quantisation and pruning of all layers change the outputs by, over those
  /// of what they change the weights by, the former over the latter: activations lose too.
  double weight = 1;
  bool needsPruned() const;
  /// How many wider schemes a layer may have.
  size_t levels() const;
  /// From the outputs' errors with all that is wanted and with pruning alone.
  void weigh(double all, double pruning);
};

/// One layer does one thing less.
struct Step {
  size_t layer; ///< in the order of LedgerModel::alone
  Held::Part part;
  int64_t wider;
  double gain;          ///< the square of the error that goes with it, by estimate
  std::string to, what; ///< "no pruning", "its pruning"
};

/// Of all layers, those that take most of the error first; a layer's wider schemes in order.
std::vector<Step> stepsOf(const Forms &forms, llvm::ArrayRef<LedgerModel::Alone> alone);

/// What layers do no longer behind these steps of `all`. Their texts go into `alone`.
std::vector<Held> heldBy(llvm::ArrayRef<Step> steps, llvm::ArrayRef<Step> all,
                         std::vector<LedgerModel::Alone> &alone, double required);

} // namespace kiln

#endif // KILN_TOOLS_KILNC_RETREAT_H
