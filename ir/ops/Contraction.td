//===- Contraction.td - matrix products ----------------------------------===//
#ifndef KILN_IR_OPS_CONTRACTION_TD
#define KILN_IR_OPS_CONTRACTION_TD

include "ir/ops/Base.td"

def Kiln_MatmulOp : Kiln_PrimitiveOp<"matmul", "matmul(a, b)", "Contraction", "flops()"> {
  let summary = "the matrix product over the last two dimensions";
  let description = [{
    result[…, m, n] = sum over k of a[…, m, k] * b[…, k, n]; with `transpose_b` b is read as
    b[…, n, k]. Leading dimensions are equal, or `b` has none (one matrix for all). f16 and bf16
    accumulate in f32. As NumPy's `matmul`, whose broadcasting the front end makes explicit.

    Constraints:
    - matmul-c1: the element types are equal and a number type
    - matmul-c2: both have at least two dimensions; b has exactly two, or as many as a with the same
      leading extents
    - matmul-c3: the contracted extents are equal

    Example: `%c = kiln.matmul %a, %b : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$a, Kiln_Tensor:$b, UnitAttr:$transpose_b);
  let hasCanonicalizer = 1;
  let extraClassDeclaration = primitiveDeclarations # "::kiln::DimExpr flops();";
}

#endif // KILN_IR_OPS_CONTRACTION_TD
