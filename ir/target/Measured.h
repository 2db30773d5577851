//===- Measured.h - which generator's kernels ran faster -------*- C++ -*-===//
//
// Times of Halide's kernels beside LLVM's, measured by tools/dev/measure_kernels.py. Plain data.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_IR_TARGET_MEASURED_H
#define KILN_IR_TARGET_MEASURED_H

#include <cstdint>
#include <optional>
#include <string_view>

namespace kiln::target {

/// What decides a kernel's time, with dimensions that only a call gives counted as 1.
struct KernelShape {
  std::string_view templateName; ///< a row of Templates.def
  int64_t rows;                  ///< of the result: images times pixels, or rows of a matrix
  int64_t columns;               ///< of the result: channels, or columns
  int64_t depth;                 ///< multiply-adds for an element
  int64_t taps;                  ///< kh * kw of a window, else 1
  int64_t stride;                ///< of a window, the larger one, else 1
};

/// Halide's time divided by LLVM's for the most similar kernel that was measured on such a target,
/// or nothing if none is similar: equal in template, taps and stride, and within a factor of 4 over
/// rows, columns and depth together.
std::optional<double> halideRatio(std::string_view target, const KernelShape &shape);

} // namespace kiln::target

#endif // KILN_IR_TARGET_MEASURED_H
