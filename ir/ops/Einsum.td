//===- Einsum.td - sums of products by letters ----------------------------===//
#ifndef KILN_IR_OPS_EINSUM_TD
#define KILN_IR_OPS_EINSUM_TD

include "ir/ops/Base.td"

def Kiln_EinsumOp : Kiln_PrimitiveOp<"einsum", "einsum(equation: str, operands...)", "Contraction", "flops()",
    [DeclareOpInterfaceMethods<Kiln_Aligning>, DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "sums of products of elements whose positions the letters name";
  let description = [{
    As NumPy's and PyTorch's `einsum`: "bij,bjk->bik" names each extent of the operands, and of the result by a
    letter. The result is the sum, over the letters that it lacks, of the products. A letter twice in an operand
    is its diagonal; `...` stands for any number of leading extents, which are broadcast. Without `->` the result
    has `...` and, in the order of the alphabet, the letters that occur once. An extent 1 is repeated where another
    operand's is not 1. Operands are multiplied one after the other, and a letter is summed as soon as neither the
    result nor a later operand has it: the order counts where there are infinities, as in PyTorch.

    Constraints:
    - einsum-c1: the equation is letters, at most one `...` for each operand and the result, commas and at most one `->`
    - einsum-c2: the operands have one number type, there is one for each list of letters, and it has as many dimensions
    - einsum-c3: extents with one letter are equal, or 1 in different operands
    - einsum-c4: the result's letters are different and occur in operands

    Example: `%y = kiln.einsum %a, %b {equation = "ij,jk->ik"} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>`
  }];
  let arguments = (ins Variadic<Kiln_Tensor>:$xs, StrAttr:$equation);
  let extraClassDeclaration = primitiveDeclarations # "::kiln::DimExpr flops();";
}

#endif // KILN_IR_OPS_EINSUM_TD
