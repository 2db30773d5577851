//===- KilnOps.td - all ops, by family ------------------------------------===//
#ifndef KILN_IR_OPS_TD
#define KILN_IR_OPS_TD

include "ir/ops/Structure.td"
include "ir/ops/Elementwise.td"
include "ir/ops/Activation.td"
include "ir/ops/Contraction.td"
include "ir/ops/Convolution.td"
include "ir/ops/Einsum.td"
include "ir/ops/Attention.td"
include "ir/ops/Pooling.td"
include "ir/ops/Resize.td"
include "ir/ops/Reduction.td"
include "ir/ops/Normalization.td"
include "ir/ops/Constructor.td"
include "ir/ops/Random.td"
include "ir/ops/Shape.td"
include "ir/ops/Indexing.td"
include "ir/ops/Sorting.td"
include "ir/ops/Scan.td"
include "ir/ops/DataDependent.td"
include "ir/ops/Scatter.td"
include "ir/ops/Quantized.td"
include "ir/ops/Sparse.td"
include "ir/ops/Control.td"

#endif // KILN_IR_OPS_TD
