//===- Requantize.h - from sums to small integers at once ------*- C++ -*-===//
#ifndef KILN_PASSES_COMPRESS_REQUANTIZE_H
#define KILN_PASSES_COMPRESS_REQUANTIZE_H

#include "ir/KilnOps.h"

namespace kiln::passes {

/// Between a static layer's sum in i32 and a quantiser there are a factor, a bias and a clamp in
/// f32. They become `kiln.requantize` and a clamp in u8: the bias goes into the offsets of the sum,
/// rounded to a step of it, and ReLU and clamps into bounds, whatever the zero point.
class Requantizer {
public:
  explicit Requantizer(mlir::SymbolTable &symbols) : symbols(symbols) {}
  /// Whether it is done; if not, nothing is changed.
  bool fold(ir::QuantizeOp op);

private:
  /// What stands in front of a quantiser: clamp(factors * f32(sum - offsets) + bias).
  struct Chain {
    double low, high;
    ir::WeightOp factors, offsets, bias; ///< one number a channel; bias may be null
    mlir::Value sum;
    int64_t axis = 0;  ///< of the channels
    int64_t depth = 0; ///< products that a sum adds up
  };
  bool match(mlir::Value x, Chain &chain) const;
  ir::WeightOp perChannel(mlir::Value value) const;
  template <typename T> T valueOf(ir::WeightOp weight, int64_t channel) const;
  ir::WeightOp addWeight(ir::WeightOp like, llvm::StringRef suffix, llvm::ArrayRef<uint32_t> words);

  mlir::SymbolTable &symbols;
};

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_REQUANTIZE_H
