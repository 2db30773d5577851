//===- Attention.td - attention and rotary positions ----------------------===//
#ifndef KILN_IR_OPS_ATTENTION_TD
#define KILN_IR_OPS_ATTENTION_TD

include "ir/ops/Base.td"

def Kiln_AttentionOp : Kiln_PrimitiveOp<"attention",
    "attention(q, k, v, mask?, *, causal: bool = false, scale: float = none, key_length?)", "Contraction", "flops()",
    [AttrSizedOperandSegments, DeclareOpInterfaceMethods<Kiln_Aligning>, DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "means of v, weighted by the softmax of q k^T; scale is 1 / sqrt(D) if not given";
  let description = [{
    On q [B, H, T, D], k [B, G, S, D] and v [B, G, S, E] gives [B, H, T, E]: softmax(q k^T * scale) v (Vaswani et
    al., arXiv 1706.03762), where G divides H and head h reads the keys of head h // (H / G) (Ainslie et al., arXiv
    2305.13245), as PyTorch's `scaled_dot_product_attention`. The softmax runs over the keys that a query may
    attend to; a query without any gives zeros.
    - `mask`, broadcast to [B, H, T, S]: a bool says whether a query may attend to a key; a float is added to the
      score, and -inf excludes the key.
    - `key_length`, an integer or one for each element of the batch, is used in place of S: later keys are excluded.
    - `causal`: query t sees the keys s <= t + S - T, so that the last query sees all.
    Nothing is rounded to fewer bits than f32 in between.

    Constraints:
    - attention-c1: q, k and v have one float type and four dimensions
    - attention-c2: the batches, the widths of q and k, and the numbers and heads of keys and values are equal
    - attention-c3: the heads of q are as many as those of k, or a multiple of them, both numbers
    - attention-c4: the mask is bool or of q's type, and each of its extents is 1 or that of [B, H, T, S]
    - attention-c5: key_length is an integer scalar or has the batch's extent

    Example: `%y = kiln.attention %q, %k, %v {causal = true, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (tensor<1x2x3x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>) -> tensor<1x2x3x4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$q, Kiln_Tensor:$k, Kiln_Tensor:$v, Optional<Kiln_Tensor>:$mask,
    Optional<Kiln_Tensor>:$key_length, BoolAttr:$causal, OptionalAttr<F64Attr>:$scale);
  let assemblyFormat = "$q `,` $k `,` $v (`mask` $mask^)? (`key_length` $key_length^)? attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = primitiveDeclarations # "::kiln::DimExpr flops();";
}

def Kiln_RopeOp : Kiln_PrimitiveOp<"rope",
    "rope(x, positions, *, base: float = 10000.0, interleaved: bool = false)", "RowWise", perResult # " * ::kiln::DimExpr(6)",
    [DeclareOpInterfaceMethods<Kiln_Aligning>, DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "turns pairs of elements by angles that grow with the position";
  let description = [{
    On x [..., T, D]: the pair i of D / 2 at position p is turned by the angle p * base^(-2 i / D) (Su et al., arXiv
    2104.09864). Pair i is the elements i and i + D / 2, as in Llama's published weights, or 2 i and 2 i + 1 with
    `interleaved`. Positions are [T], or [B, T] where B is x's first extent. Angles are computed in f64.

    Constraints:
    - rope-c1: x has a float type and at least two dimensions, the last of which is an even number
    - rope-c2: positions are integers, [T], or [B, T] where x has at least three dimensions
    - rope-c3: base is positive

    Example: `%y = kiln.rope %x, %p {base = 1.0e4 : f64, interleaved = false} : (tensor<1x2x3x4xf32>, tensor<3xi64>) -> tensor<1x2x3x4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$positions, F64Attr:$base, BoolAttr:$interleaved);
}

#endif // KILN_IR_OPS_ATTENTION_TD
