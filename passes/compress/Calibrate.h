//===- Calibrate.h - the ranges of activations -----------------*- C++ -*-===//
#ifndef KILN_PASSES_COMPRESS_CALIBRATE_H
#define KILN_PASSES_COMPRESS_CALIBRATE_H

#include "passes/compress/Compensate.h"
#include "passes/compress/Rules.h"

#include "ir/Tensor.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/MapVector.h"

namespace kiln::passes {

/// How often values of each size were seen, in bins of equal width around 0; what lies beyond the
/// last ones makes all twice as wide. Values that are not finite do not count.
class Histogram {
public:
  void add(double value);
  /// Nothing if no value was seen. The range holds 0, so that padding and ReLU are exact.
  std::optional<std::pair<double, double>> range(Observer observer) const;

private:
  static constexpr int64_t half = 2048; ///< bins on each side
  double middle(int64_t bin) const { return (static_cast<double>(bin - half) + 0.5) * width; }
  std::pair<double, double> percentile(double part) const;
  std::pair<double, double> leastError() const;
  double errorOf(double low, double high) const;
  std::pair<double, double> leastDivergence() const;
  double divergenceOf(int64_t first, int64_t last) const;

  std::vector<int64_t> counts;
  double width = 0, low = 0, high = 0;
  int64_t total = 0, zeros = 0;
};

/// Watches what layers read while the interpreter runs calls: in front of `prune` those of rules
/// with saliency = wanda or update = compensated, in front of `quantize` those of static rules and
/// with rounding = gptq or scaling = awq.
class Calibrator {
public:
  /// Fails with an error at a rule.
  static mlir::FailureOr<Calibrator> start(mlir::ModuleOp module, Rule::Action action);
  /// Whether a rule wants it.
  bool isWanted() const { return needsRanges() || needsInputs(); }
  llvm::LogicalResult call(mlir::FunctionOpInterface function,
                           llvm::ArrayRef<ir::Tensor> arguments);
  /// Whether ranges are not enough, since a rule has rounding = gptq, scaling = awq, saliency =
  /// wanda or update = compensated.
  bool needsInputs() const { return !summed.empty() || !squares.empty(); }
  bool needsRanges() const { return !watched.empty(); }
  /// The ranges as text, and whether a text is one.
  void print(llvm::raw_ostream &os) const;
  static bool isFile(llvm::StringRef text);
  /// Ranges that print() gave, instead of calls. Fails with an error at a line that does not fit
  /// the layers or their rules. There may be ranges of layers that need none.
  llvm::LogicalResult read(llvm::StringRef text, llvm::StringRef file);
  /// Each reader that a call reached gets `kiln.range` = [low, high]; `kiln.squares`, the sum of
  /// squares of each of its K inputs; or `kiln.inputs`, which names a tensor in the store of
  /// weights: what is summed up of its inputs (Compensate.h).
  void finish();

private:
  /// Of those readers of the layer.
  void addSummed(const Layer &layer, llvm::function_ref<bool(mlir::Operation *)> isWanted);
  void addPruned(llvm::ArrayRef<Rule> rules);
  struct Watch {
    std::string layer;
    Observer observer;
    Histogram histogram;
    std::optional<std::pair<double, double>> given; ///< by a file
    std::optional<std::pair<double, double>> range() const {
      return given ? given : histogram.range(observer);
    }
  };
  mlir::ModuleOp module;
  llvm::MapVector<mlir::Operation *, Watch> watched;
  llvm::MapVector<mlir::Operation *, Inputs> summed;
  llvm::MapVector<mlir::Operation *, std::vector<double>> squares; ///< of each input
};

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_CALIBRATE_H
