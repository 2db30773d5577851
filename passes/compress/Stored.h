//===- Stored.h - a weight in fewer bits -----------------------*- C++ -*-===//
#ifndef KILN_PASSES_COMPRESS_STORED_H
#define KILN_PASSES_COMPRESS_STORED_H

#include "passes/compress/Layers.h"
#include "passes/compress/Rules.h"

namespace kiln::passes {

/// A weight [N, K…] in fewer bits; of fewer than 8 in blocks (ir/NumberBlock.h): [N, K bits / 8].
struct Stored {
  DType type = DType::I8;
  int64_t bits = 8;  ///< of an integer
  int64_t group = 0; ///< numbers along K that share a scale, the last ones fewer; 0: all
  llvm::SmallVector<int64_t> shape;
  std::vector<uint8_t> bytes;
  llvm::SmallVector<int64_t> scaleShape; ///< empty: no scales
  DType scaleType = DType::F32;          ///< or f16, whose numbers they are then
  std::vector<float> scales;
  std::vector<uint8_t> zeroPoints; ///< one a scale, or none
  double error = 0;                ///< sum of squares of the change
  int64_t zeros = 0;               ///< elements that are 0
  /// The scales as they are stored.
  std::vector<uint8_t> scaleBytes() const;
  /// What is read back of an integer.
  double valueAt(int64_t n, int64_t k) const;
  int64_t size() const {
    return static_cast<int64_t>(bytes.size() + scales.size() * byteSize(scaleType) +
                                zeroPoints.size());
  }
};

/// The element (n, k) of the layer's weight.
float elementOf(const Layer &layer, int64_t n, int64_t k);

/// The layer's weight by the scheme, each number to the nearest; nothing if a narrower float cannot
/// hold a value. The depth is a multiple of the numbers in a block; its last group may be shorter.
std::optional<Stored> storedAs(const Layer &layer, const Scheme &scheme);

/// How one group of numbers in parts of bytes is read back: (q - zero) * scale, for q from `low` to
/// `high`.
struct Steps {
  float scale = 1;
  int64_t zero = 0, low = 0, high = 0;
  int64_t nearest(double value) const;
  double valueOf(int64_t q) const { return static_cast<double>(q - zero) * scale; }
  /// The number of largest magnitude becomes the lowest, in 4 bits -8; with zero points, the range
  /// from the least to the largest number, 0 among them, becomes all numbers, in 4 bits 0 … 15.
  static Steps of(llvm::ArrayRef<float> values, const Scheme &scheme);
};

/// Rows [N, K] of weights in parts of bytes, made number by number.
class PartBytes {
public:
  PartBytes(const Layer &layer, const Scheme &scheme);
  void setSteps(int64_t n, int64_t group, const Steps &steps);
  void set(int64_t n, int64_t k, int64_t q, double value);
  Stored take() { return std::move(stored); }

private:
  const Layer &layer;
  const Scheme &scheme;
  Stored stored;
};

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_STORED_H
