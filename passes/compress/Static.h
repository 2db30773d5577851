//===- Static.h - layers in integers with ranges known before --*- C++ -*-===//
#ifndef KILN_PASSES_COMPRESS_STATIC_H
#define KILN_PASSES_COMPRESS_STATIC_H

#include "passes/Build.h"

#include <optional>

namespace kiln::passes {

/// An activation x as q = round(x / scale) + zero in u8.
struct Affine {
  float scale = 1;
  int64_t zero = 0;
  /// 0 is a whole number of steps.
  static Affine ofRange(double low, double high);
  float inverse() const { return 1 / scale; }
};

/// What clamps and ReLUs that only the next one reads make of a value: narrows the bounds and
/// returns what the first reads.
mlir::Value throughClamps(mlir::Value x, double &low, double &high);

/// The same bounds of what was quantised.
mlir::Value bounded(const ir::Build &build, mlir::Value q, double low, double high,
                    const Affine &affine);

/// The number that all elements of a constant are; nothing of other values.
std::optional<double> filledWith(mlir::Value value);

/// The static scheme: readers of a weight in i8 read their activation in u8, by the range that
/// calibration gave.
class StaticQuantizer {
public:
  /// The deepest sum of products of u8 and i8, less the zero point's part, that i32 holds.
  static constexpr int64_t maxDepth = 2147483647 / (255 * 127);

  /// Of a reader; nothing if no calibration data reached it.
  static std::optional<Affine> affineOf(mlir::Operation *reader);

  /// Replaces a matmul or conv2d by integers. `factors` [N] in f32 are scales of sums, `offsets`
  /// [N] in i32 the zero point times the sum of each channel's weights.
  void replace(mlir::Operation *reader, ir::WeightOp weight, ir::WeightOp factors,
               ir::WeightOp offsets);
  /// Moves quantisers before the movement, ReLU and pooling that read no other type.
  void hoist();
  /// A value that a quantiser and sums read becomes bytes for the sums too, so that no kernel
  /// writes it in floats.
  void share();
  /// Steps by a product with the inverse of the scale, since a division takes many times longer,
  /// and clamps of bytes instead of those in front.
  static void multiply(ir::QuantizeOp op);
  /// The quantisers that are left.
  llvm::ArrayRef<ir::QuantizeOp> getQuantizers() const { return made; }

private:
  ir::QuantizeOp quantized(mlir::Value x, const Affine &affine, mlir::Operation *reader);
  bool hoist(ir::QuantizeOp op);

  llvm::SmallVector<ir::QuantizeOp> made;
};

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_STATIC_H
