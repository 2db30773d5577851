//===- Budget.h - the error that compression may cost ----------*- C++ -*-===//
#ifndef KILN_TOOLS_KILNC_BUDGET_H
#define KILN_TOOLS_KILNC_BUDGET_H

#include "ir/LedgerModel.h"
#include "passes/CheckEach.h"
#include "tools/kilnc/Retreat.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kiln::passes {
class Calibrator;
} // namespace kiln::passes

namespace kiln {

/// The data of --calibrate, what it is for, and what the model gives for it before it is
/// compressed. Functions that return a bool have reported an error where it is false.
class Budget {
public:
  /// Takes the required error out of the module's rules, and calls the module where its outputs are
  /// to be compared. The module stands in front of the stages that compress.
  bool start(mlir::ModuleOp module, llvm::StringRef path, bool isMeasured, bool isShown);
  /// Where calibrate() writes the ranges that it found; nowhere if empty.
  void saveTo(llvm::StringRef file) { savePath = file; }
  /// Holds layers back, by rules of the module, until the error of its outputs is below the limit:
  /// each layer is compressed alone, and what costs the most is given back, by bisection.
  /// `afterTrial` frees what a trial left in the store of weights.
  bool meet(mlir::ModuleOp module, llvm::function_ref<void()> afterTrial);
  /// What the layers' rules need of the data in front of a stage, `prune` or `quantize`.
  bool calibrate(mlir::ModuleOp module, llvm::StringRef stage) const;
  /// Measures the compressed module; the ledger gets what was found.
  bool finish(mlir::ModuleOp module);
  const LedgerModel &model() const { return found; }

  std::optional<double> limit() const { return required; }
  const CheckEach *data() const { return calls.get(); }

private:
  bool readLimit(mlir::ModuleOp module);
  bool learn(mlir::ModuleOp module, llvm::StringRef stage, bool isFinal) const;
  bool run(mlir::ModuleOp module, passes::Calibrator &calibrator, bool isCallShown) const;
  bool save(const passes::Calibrator &calibrator) const;
  std::optional<double> errorOf(mlir::ModuleOp module) const;
  bool compress(mlir::ModuleOp copy, llvm::ArrayRef<Held> held) const;
  std::optional<double> trial(mlir::ModuleOp module, llvm::ArrayRef<Held> held);
  std::vector<LedgerRow> compressedRows(mlir::ModuleOp module) const;
  bool rank(mlir::ModuleOp module, llvm::ArrayRef<LedgerRow> layers,
            llvm::function_ref<void()> afterTrial);
  bool measureForms(mlir::ModuleOp module, double all, Forms &forms,
                    llvm::function_ref<void()> afterTrial);
  bool bisect(mlir::ModuleOp module, llvm::ArrayRef<Step> steps,
              llvm::function_ref<void()> afterTrial);
  void show(const llvm::Twine &text) const;

  std::string path, savePath;
  std::unique_ptr<llvm::MemoryBuffer> ranges; ///< the file at `path` if it holds no inputs
  bool isShown = false;
  std::optional<double> required;
  std::unique_ptr<CheckEach> calls; ///< null: nothing is measured
  LedgerModel found;
};

} // namespace kiln

#endif // KILN_TOOLS_KILNC_BUDGET_H
