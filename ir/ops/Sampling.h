//===- Sampling.h - where a resized image is read --------------*- C++ -*-===//
#ifndef KILN_IR_OPS_SAMPLING_H
#define KILN_IR_OPS_SAMPLING_H

#include "ir/DimExpr.h"

namespace kiln::ir {

/// One spatial dimension of `kiln.interpolate`: element i of the result lies at
/// (scale * i + offset) / divisor of the image, in floor fractions; the divisor is positive.
struct Sampling {
  DimExpr extent; ///< of the image
  DimExpr scale, offset, divisor;
  int taps; ///< 1: the element at the floor; 2: linear; 4: cubic

  /// Whether element i is that of the image at i.
  bool isIdentity() const { return scale == divisor && offset == DimExpr(0); }
};

} // namespace kiln::ir

#endif // KILN_IR_OPS_SAMPLING_H
