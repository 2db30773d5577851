//===- Tolerance.h - how far floats may be from the definition -*- C++ -*-===//
#ifndef KILN_IR_TOLERANCE_H
#define KILN_IR_TOLERANCE_H

#include "ir/KilnTypes.h"
#include "ir/Tensor.h"

namespace kiln::ir {

/// Precision, least and largest positive value of a floating type; zeros for any other.
struct FloatFormat {
  double precision, least, largest;
};
FloatFormat formatOf(DType type);

/// A row of Tolerances.def.
struct Tolerance {
  FusionRole role;
  const char *name;
  bool sums; ///< ops of the role add up many elements
  double wide, narrow;

  double units(DType type) const { return type <= DType::F32 ? wide : narrow; }
};
const Tolerance &toleranceOf(FusionRole role);

/// The error that an op of the role may make in an element of this size.
double errorOf(FusionRole role, DType type, double size);
/// The bias of a batch norm may cancel the rest: an error of one unit of either is left of both.
inline bool cancels(llvm::StringRef op) { return op == "batch_norm"; }

/// Results are sums of products of elements, which plain signs may let cancel.
inline bool addsTerms(FusionRole role, llvm::StringRef op) {
  return role == FusionRole::Contraction || role == FusionRole::Convolution || op == "sum" ||
         op == "mean";
}

/// The size of the largest finite element; 0 if there is none.
double largestFinite(const Tensor &tensor);

} // namespace kiln::ir

#endif // KILN_IR_TOLERANCE_H
