//===- Indexing.td - elements at computed positions -----------------------===//
#ifndef KILN_IR_OPS_INDEXING_TD
#define KILN_IR_OPS_INDEXING_TD

include "ir/ops/Base.td"

/// An op that reads at positions that a tensor of integers gives. Negative positions count from the
/// end; `guarded` says that a `kiln.assert` has looked at them.
class Kiln_IndexingOp<string mnemonic, string signature, list<Trait> traits = []>
    : Kiln_PrimitiveOp<mnemonic, signature, "Movement", "::kiln::DimExpr(0)", traits>;

def Kiln_TakeOp : Kiln_IndexingOp<"take", "take(x, indices, axis: axis = 0)", [Kiln_Indexing]> {
  let summary = "slices of x at positions along an axis; an index out of range is a status";
  let description = [{
    As NumPy's `take` and ONNX's Gather: the result has x's shape with the axis replaced by the shape of
    `indices`, so that y[i…, j…, k…] = x[i…, indices[j…], k…]. Negative indices count from the end. An
    index below -n or above n - 1, n being the extent of the axis, ends the call with the status
    KILN_INDEX_OUT_OF_RANGE.

    Constraints:
    - take-c1: indices are integers
    - take-c2: the axis is in the range of x's rank

    Example: `%y = kiln.take %x, %i {axis = 0 : i64} : (tensor<9x4xf32>, tensor<2xi64>) -> tensor<2x4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$indices, I64Attr:$axis, UnitAttr:$guarded);
  let extraClassDeclaration = primitiveDeclarations # [{
    ::kiln::DimExpr getIndexedExtent() { return dimsOf(getX().getType())[getAxis()]; }
  }];
}

def Kiln_GatherOp : Kiln_IndexingOp<"gather", "gather(x, indices, *, axis: axis = 0)",
    [Kiln_Indexing, DeclareOpInterfaceMethods<Kiln_Requiring>]> {
  let summary = "elements of x at positions along an axis; an index out of range is a status";
  let description = [{
    As PyTorch's `gather` and ONNX's GatherElements: the result has the shape of `indices`, and for axis 0
    y[i, j…] = x[indices[i, j…], j…]. Negative indices count from the end; one out of range ends the call
    with the status KILN_INDEX_OUT_OF_RANGE.

    Constraints:
    - gather-c1: indices are integers
    - gather-c2: x and indices have one rank, of at least 1, and the axis is in its range
    - gather-c3: along every other axis indices have at most x's extent; where the polynomials do not say so,
      it is required when a call begins

    Example: `%y = kiln.gather %x, %i {axis = 1 : i64} : (tensor<2x9xf32>, tensor<2x3xi64>) -> tensor<2x3xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$indices, I64Attr:$axis, UnitAttr:$guarded);
  let extraClassDeclaration = primitiveDeclarations # [{
    ::kiln::DimExpr getIndexedExtent() { return dimsOf(getX().getType())[getAxis()]; }
  }];
}

def Kiln_EmbeddingOp : Kiln_IndexingOp<"embedding", "embedding(indices, weight)",
    [DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "rows of a table; an index out of range is a status";
  let description = [{
    As PyTorch's `embedding`: y[j…, k] = weight[indices[j…], k].

    Constraints:
    - embedding-c1: indices are integers
    - embedding-c2: the table has two dimensions

    Example: `%y = kiln.embedding %i, %w : (tensor<3xi64>, tensor<9x4xf32>) -> tensor<3x4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$indices, Kiln_Tensor:$weight);
}

def Kiln_EmbeddingBagOp : Kiln_PrimitiveOp<"embedding_bag",
    "embedding_bag(indices, weight, offsets?, per_sample_weights?, *, mode: str = 'mean')", "RowWise",
    perResult, [AttrSizedOperandSegments, DeclareOpInterfaceMethods<Kiln_Aligning>, DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "the sum, mean or largest elements of rows of a table; an index out of range is a status";
  let description = [{
    As PyTorch's `embedding_bag`: indices [B, L] are B bags of L rows of the table. With `offsets` [B] the indices
    are one list [N], and the index at position j is in the bag b for which b + 1 offsets are <= j; before the first
    offset it is in none. A bag of nothing gives zeros. `per_sample_weights` multiply rows, in the mode "sum".

    Constraints:
    - embedbag-c1: indices and offsets are integers
    - embedbag-c2: the table has two dimensions and a float type
    - embedbag-c3: indices have two dimensions, or one with offsets, which have one
    - embedbag-c4: per_sample_weights have the shape of the indices and the table's type
    - embedbag-c5: the mode is "sum", "mean" or "max", with per_sample_weights "sum"

    Example: `%y = kiln.embedding_bag %i, %w {mode = "sum", operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<3x2xi64>, tensor<9x4xf32>) -> tensor<3x4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$indices, Kiln_Tensor:$weight, Optional<Kiln_Tensor>:$offsets,
    Optional<Kiln_Tensor>:$per_sample_weights, StrAttr:$mode);
  let assemblyFormat = "$indices `,` $weight (`offsets` $offsets^)? (`weights` $per_sample_weights^)? attr-dict `:` functional-type(operands, results)";
}

def Kiln_OneHotOp : Kiln_IndexingOp<"one_hot", "one_hot(indices, depth: extent, *, dtype: dtype = i64)",
    [DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "rows of the identity matrix; an index out of range is a status";
  let description = [{
    As PyTorch's `one_hot`: y[j…, k] is 1 where indices[j…] is k, else 0; k runs over `depth`.

    Constraints:
    - onehot-c1: indices are integers
    - onehot-c2: the element type is a number

    Example: `%y = kiln.one_hot %i {depth = #kiln.dims<[9]>, dtype = i64} : (tensor<3xi64>) -> tensor<3x9xi64>`
  }];
  let arguments = (ins Kiln_Tensor:$indices, Kiln_DimsAttr:$depth, TypeAttr:$dtype);
}

def Kiln_AssertOp : Op<Kiln_Dialect, "assert", [DeclareOpInterfaceMethods<Kiln_Evaluable>]> {
  let summary = "ends the call unless a computed value is true";
  let description = [{
    If the scalar is false the entry point returns KILN_INDEX_OUT_OF_RANGE with `subject` and the place in
    the model. What follows is then not computed.

    Constraints:
    - assert-c1: the condition is a bool scalar

    Example: `kiln.assert %ok, "take" : tensor<i1>`
  }];
  let arguments = (ins Kiln_Tensor:$condition, StrAttr:$subject);
  let assemblyFormat = "$condition `,` $subject attr-dict `:` type($condition)";
  let hasVerifier = 1;
}

#endif // KILN_IR_OPS_INDEXING_TD
