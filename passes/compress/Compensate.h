//===- Compensate.h - changes that make up for their errors ----*- C++ -*-===//
//
// GPTQ (Frantar et al., arXiv 2210.17323): columns of W are rounded one after the other, and what
// each changes in W x, for inputs as they were seen, is made up for by the columns to come. The
// same for columns that become zero: SparseGPT (Frantar and Alistarh, arXiv 2301.00774).
//
//===----------------------------------------------------------------------===//
#ifndef KILN_PASSES_COMPRESS_COMPENSATE_H
#define KILN_PASSES_COMPRESS_COMPENSATE_H

#include "passes/compress/Stored.h"

namespace kiln::passes {

/// The sum of x xᵀ over a layer's inputs x, [K, K] in f64, of their magnitudes, and their number.
class Inputs {
public:
  explicit Inputs(int64_t depth) : depth(depth), sums(depth * (depth + 1) + 1) {}
  /// Adds rows of K values; rows with a value that is not finite do not count.
  void add(llvm::ArrayRef<double> rows);
  /// The sum of squares of d x, for a row d.
  double squares(llvm::ArrayRef<double> d) const;
  /// Adds what get() of another gave.
  void addSums(llvm::ArrayRef<double> others);
  llvm::ArrayRef<double> get() const { return sums; }
  llvm::ArrayRef<double> magnitudes() const { return get().slice(depth * depth, depth); }
  int64_t count() const { return static_cast<int64_t>(sums.back()); }
  int64_t getDepth() const { return depth; }

private:
  int64_t depth;
  /// The first above the diagonal and on it, then magnitudes and the number.
  std::vector<double> sums;
};

/// What calibration data gave the layer's products (`kiln.inputs`); nothing if they saw none.
std::optional<Inputs> inputsOf(const Layer &layer);

/// The norms' quotient from sums of squares; 0 beside no signal.
double relative(double error, double signal);

/// What a layer's rounding changes in its results on calibration data, relative to their size.
struct Compensation {
  Stored stored;
  double nearest = 0, compensated = 0;
};

/// A layer in parts of bytes by both roundings; the better one is taken.
Compensation compensate(const Layer &layer, const Scheme &scheme, const Inputs &inputs);

/// What zeros in a layer change in its results on calibration data, relative to their size, with
/// the other elements as trained and with those that make up for it.
struct Update {
  double left = 0, compensated = 0;
};

/// `values`, in the order of the layer's weight, are the weight's with some at 0: those stay, and
/// the others are changed, unless that is not better.
Update compensateZeros(const Layer &layer, llvm::MutableArrayRef<float> values,
                       const Inputs &inputs);

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_COMPENSATE_H
