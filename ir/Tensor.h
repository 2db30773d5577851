//===- Tensor.h - values of the interpreter --------------------*- C++ -*-===//
#ifndef KILN_IR_TENSOR_H
#define KILN_IR_TENSOR_H

#include "ir/DType.h"
#include "ir/DimExpr.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <map>
#include <string>
#include <vector>

namespace kiln::ir {

/// A dense row-major tensor as the interpreter holds it: floats in f64, integers and bool exactly.
/// Exactly one of the two arrays is used, by the element type.
struct Tensor {
  DType type = DType::F32;
  llvm::SmallVector<int64_t, 6> shape;
  std::vector<double> floats;
  std::vector<int64_t> ints;

  Tensor() = default;
  /// Allocates zeros.
  Tensor(DType type, llvm::ArrayRef<int64_t> shape);

  int64_t numElements() const;
  bool isFloat() const { return kiln::isFloat(type); }
  /// Element as f64, whatever the type.
  double asDouble(int64_t i) const { return isFloat() ? floats[i] : static_cast<double>(ints[i]); }
  /// Dense strides in elements.
  llvm::SmallVector<int64_t, 6> strides() const;

  /// Reads elements from memory in the type's own format.
  static Tensor fromBytes(DType type, llvm::ArrayRef<int64_t> shape, const uint8_t *bytes);
  /// Writes elements in the type's own format, rounding floats to nearest even; integers wrap.
  void toBytes(uint8_t *bytes) const;
};

/// Rounds to a floating type's nearest value (ties to even; f8e4m3 saturates).
double roundTo(DType type, double value);
/// The same of an integer, in one rounding.
double roundTo(DType type, int64_t value);
/// Wraps to an integer type's range (bool: != 0).
int64_t wrapTo(DType type, int64_t value);
/// The language's float-to-integer cast: truncates, saturates, NaN gives 0.
int64_t truncateTo(DType type, double value);

/// What evaluation knows besides operands: the values of the named dimensions.
struct Evaluation {
  std::map<std::string, int64_t, std::less<>> dims;
  /// Value of a polynomial; nothing if a name is not known or the value does not fit.
  std::optional<int64_t> tryValue(const DimExpr &expr) const;
  /// The same where the caller has made sure that there is one (evaluateOp does, for all extents of
  /// an op's types and attributes); anything else ends the program.
  int64_t value(const DimExpr &expr) const;
  llvm::SmallVector<int64_t, 6> values(llvm::ArrayRef<DimExpr> exprs) const;
};

} // namespace kiln::ir

#endif // KILN_IR_TENSOR_H
