//===- Scale.h - inputs that matter get finer steps ------------*- C++ -*-===//
//
// AWQ (Lin et al., arXiv 2306.00978): the weights of input k are multiplied by s_k before they are
// rounded, and the input by 1 / s_k, where s is a power between 0 and 1 of the inputs' mean
// magnitudes on calibration data, so that what meets large inputs is rounded by less.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_PASSES_COMPRESS_SCALE_H
#define KILN_PASSES_COMPRESS_SCALE_H

#include "passes/compress/Compensate.h"

namespace kiln::passes {

/// A layer's weight times s in groups of fewer bits.
struct Scaling {
  Stored stored;              ///< its `error` is that of what multiplies the inputs as they were
  std::vector<float> factors; ///< of inputs: 1 / s
  /// What rounding changes in the layer's results on calibration data, relative to their size,
  /// without scaling and with it.
  double plain = 0, scaled = 0;
};

/// By the best of 20 powers for the products of 64 of the layer's outputs; its products read all of
/// its inputs. Numbers are rounded to the nearest. Powers may all be worse than none.
Scaling scale(const Layer &layer, const Scheme &scheme, const Inputs &inputs);

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_SCALE_H
