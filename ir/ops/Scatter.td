//===- Scatter.td - elements put at computed positions --------------------===//
#ifndef KILN_IR_OPS_SCATTER_TD
#define KILN_IR_OPS_SCATTER_TD

include "ir/ops/Indexing.td"

/// Slices along an axis: a procedure. Duplicates are met in the order of the indices.
class Kiln_IndexWrite<string mnemonic, string what, string letters>
    : Kiln_PrimitiveOp<mnemonic, mnemonic # "(x, indices, src, *, axis: axis = 0)", "Procedure", perOperand,
                       [Kiln_Indexing, Kiln_Overwriting, DeclareOpInterfaceMethods<Kiln_Aligning>]> {
  let summary = what;
  let description = what # [{: slice k of src along `axis` belongs at position indices[k] of x. Negative
    indices count from the end; one out of range ends the call with the status KILN_INDEX_OUT_OF_RANGE.

    Constraints:
    - }] # letters # [{-c1: indices are integers
    - }] # letters # [{-c2: indices have one dimension, and the axis is in the range of x's rank
    - }] # letters # [{-c3: src has x's element type, and x's shape with as many slices as there are indices

    Example: `%y = kiln.}] # mnemonic # [{ %x, %i, %s {axis = 0 : i64} : (tensor<9x4xf32>, tensor<2xi64>, tensor<2x4xf32>) -> tensor<9x4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$indices, Kiln_Tensor:$src, I64Attr:$axis, UnitAttr:$guarded);
  let extraClassDeclaration = primitiveDeclarations # [{
    ::kiln::DimExpr getIndexedExtent() { return dimsOf(getX().getType())[getAxis()]; }
    unsigned getOverwritten() { return 0; }
  }];
}

def Kiln_IndexCopyOp : Kiln_IndexWrite<"index_copy",
    "x with slices replaced, the last of those for one position", "indexcopy">;
def Kiln_IndexAddOp : Kiln_IndexWrite<"index_add",
    "x with slices added to its own, in f64 in the order of the indices and rounded once (integers wrap)", "indexadd">;
def Kiln_IndexMaxOp : Kiln_IndexWrite<"index_max",
    "the larger of x and all slices for a position, as `maximum` (NaN if any is; of equals the first)", "indexmax">;
def Kiln_IndexMinOp : Kiln_IndexWrite<"index_min",
    "the smaller of x and all slices for a position, as `minimum` (NaN if any is; of equals the first)", "indexmin">;

class Kiln_ScatterLike<string mnemonic, string what, string letters>
    : Kiln_PrimitiveOp<mnemonic, mnemonic # "(x, indices, src, *, axis: axis = 0)", "Opaque", perOperand,
                       [DeclareOpInterfaceMethods<Kiln_Aligning>, DeclareOpInterfaceMethods<Kiln_Requiring>,
                        DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = what;
  let description = what # [{, as PyTorch's and ONNX's ScatterElements: for axis 0 src[i, j…] belongs at
    x[indices[i, j…], j…]. Negative indices count from the end; one out of range ends the call with the status
    KILN_INDEX_OUT_OF_RANGE.

    Constraints:
    - }] # letters # [{-c1: indices are integers
    - }] # letters # [{-c2: x and indices have one rank, of at least 1, and the axis is in its range
    - }] # letters # [{-c3: src has x's element type and the shape of indices
    - }] # letters # [{-c4: along every other axis indices have at most x's extent; where the polynomials do not
      say so, it is required when a call begins

    Example: `%y = kiln.}] # mnemonic # [{ %x, %i, %s {axis = 1 : i64} : (tensor<2x9xf32>, tensor<2x3xi64>, tensor<2x3xf32>) -> tensor<2x9xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$indices, Kiln_Tensor:$src, I64Attr:$axis);
}

def Kiln_ScatterOp : Kiln_ScatterLike<"scatter",
    "x with elements replaced, by the last in the order of indices of those for one position", "scatter">;
def Kiln_ScatterAddOp : Kiln_ScatterLike<"scatter_add",
    "x with elements added to its own, in f64 in the order of indices and rounded once (integers wrap)", "scatteradd">;
def Kiln_ScatterMaxOp : Kiln_ScatterLike<"scatter_max",
    "the larger of x and all elements for a position, as `maximum` (NaN if any is; of equals the first)", "scattermax">;
def Kiln_ScatterMinOp : Kiln_ScatterLike<"scatter_min",
    "the smaller of x and all elements for a position, as `minimum` (NaN if any is; of equals the first)", "scattermin">;

def Kiln_ScatterNDOp : Kiln_PrimitiveOp<"scatter_nd", "scatter_nd(x, indices, src)", "Opaque", perOperand,
    [DeclareOpInterfaceMethods<Kiln_Aligning>, DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "x with slices replaced at positions in its first dimensions, the last of those for one";
  let description = [{
    As ONNX's ScatterND: with d the last extent of indices, src[i…, k…] belongs at x[indices[i…, 0], …,
    indices[i…, d - 1], k…]. Negative indices count from the end; one out of range ends the call with the
    status KILN_INDEX_OUT_OF_RANGE.

    Constraints:
    - scatternd-c1: indices are integers
    - scatternd-c2: the last extent of indices is a number from 1 to x's rank
    - scatternd-c3: src has x's element type, and the shape of indices but for the last extent, then x's last

    Example: `%y = kiln.scatter_nd %x, %i, %s : (tensor<9x4xf32>, tensor<2x1xi64>, tensor<2x4xf32>) -> tensor<9x4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$indices, Kiln_Tensor:$src);
}

def Kiln_GatherNDOp : Kiln_PrimitiveOp<"gather_nd", "gather_nd(x, indices, *, batch_dims: int = 0)", "Opaque", perResult,
    [DeclareOpInterfaceMethods<Kiln_Aligning>, DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "slices of x at positions in its first dimensions";
  let description = [{
    As ONNX's GatherND: with d the last extent of indices, y[b…, i…, k…] = x[b…, indices[b…, i…, 0], …,
    indices[b…, i…, d - 1], k…]; b runs over `batch_dims` dimensions. Negative indices count from the end; one
    out of range ends the call with the status KILN_INDEX_OUT_OF_RANGE.

    Constraints:
    - gathernd-c1: indices are integers
    - gathernd-c2: batch_dims is at least 0 and less than the rank of indices; the last extent of indices is a
      number from 1 to what is left of x's rank
    - gathernd-c3: the batch dimensions of x and indices are the same

    Example: `%y = kiln.gather_nd %x, %i {batch_dims = 0 : i64} : (tensor<9x4xf32>, tensor<3x2xi64>) -> tensor<3xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$indices, I64Attr:$batch_dims);
}

#endif // KILN_IR_OPS_SCATTER_TD
