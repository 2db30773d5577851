//===- DataDependent.td - extents that values decide ----------------------===//
#ifndef KILN_IR_OPS_DATADEPENDENT_TD
#define KILN_IR_OPS_DATADEPENDENT_TD

include "ir/ops/Base.td"

/// Results have room for the most that there can be; the last one, an i64 scalar, says how many there are.
/// The language binds that number to a dimension (`kiln.bind`) and takes as many from each result.
class Kiln_CountedOp<string mnemonic, string signature, string role, string flops, list<Trait> traits = []>
    : Kiln_PrimitiveOp<mnemonic, signature, role, flops, traits # [DeclareOpInterfaceMethods<Kiln_Counted>]>;

def Kiln_NonzeroOp : Kiln_CountedOp<"nonzero", "nonzero(x)", "Opaque", perOperand,
    [DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "positions (i64) of the elements that are not zero, a row each, in row-major order";
  let description = [{
    As PyTorch's `nonzero`: [K, rank]. NaN is not zero. In the dialect the first result has a row for each
    element of x, zeros behind the K that count; the second is K.

    Constraints:
    - nonzero-c1: x has a dimension

    Example: `%i, %n = kiln.nonzero %x : (tensor<4x8xf32>) -> (tensor<32x2xi64>, tensor<i64>)`
  }];
  let arguments = (ins Kiln_Tensor:$x);
  let results = (outs Kiln_Tensor:$positions, Kiln_Tensor:$count);
}

def Kiln_UniqueOp : Kiln_CountedOp<"unique",
    "unique(x, *, return_inverse: bool = false, return_counts: bool = false)", "Opaque", perOperand,
    [DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "different elements in ascending order; where each element went, and how often each occurs (i64)";
  let description = [{
    As PyTorch's `unique` of all elements: each NaN is different from the others and they stand last, of the two
    zeros the first counts. `inverse` (with `return_inverse`) has x's shape: the position of each element's
    value; `counts` (with `return_counts`) one number a value. In the dialect `values` and `counts` have an
    element for each one of x, zeros behind those that count; what is not wanted has no elements.

    Constraints: none beyond the types.

    Example: `%v, %i, %c, %n = kiln.unique %x {return_inverse = true, return_counts = true} : (tensor<2x3xf32>) -> (tensor<6xf32>, tensor<2x3xi64>, tensor<6xi64>, tensor<i64>)`
  }];
  let arguments = (ins Kiln_Tensor:$x, BoolAttr:$return_inverse, BoolAttr:$return_counts);
  let results = (outs Kiln_Tensor:$values, Kiln_Tensor:$inverse, Kiln_Tensor:$counts, Kiln_Tensor:$count);
}

def Kiln_NmsOp : Kiln_CountedOp<"nms", "nms(boxes, scores, iou_threshold: float)", "Opaque",
    perOperand # " * ::kiln::DimExpr(10) * ::kiln::ir::numElements(::kiln::ir::dimsOf(getScores().getType()))",
    [DeclareOpInterfaceMethods<Kiln_Aligning>, DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "positions (i64) of the boxes that no better one covers, best first";
  let description = [{
    As torchvision's `ops.nms`: boxes [N, 4] are x1, y1, x2, y2; from the highest score on (of equal ones the
    first) each box that is left takes away those whose intersection over union with it is greater than
    `iou_threshold`. A score that is NaN is the highest. Computed in the boxes' type, each operation rounded. In the
    dialect the first result has N elements, zeros behind those that count.

    Constraints:
    - nms-c1: boxes are f32 or f64 [N, 4]
    - nms-c2: scores have the same type and a score for each box

    Example: `%k, %n = kiln.nms %b, %s {iou_threshold = 0.5 : f64} : (tensor<9x4xf32>, tensor<9xf32>) -> (tensor<9xi64>, tensor<i64>)`
  }];
  let arguments = (ins Kiln_Tensor:$boxes, Kiln_Tensor:$scores, F64Attr:$iou_threshold);
  let results = (outs Kiln_Tensor:$kept, Kiln_Tensor:$count);
}

def Kiln_FindOp : Op<Kiln_Dialect, "find", [Pure, DeclareOpInterfaceMethods<Kiln_Evaluable>,
    DeclareOpInterfaceMethods<InferTypeOpInterface>, Kiln_Fusable, Kiln_Costed]> {
  let summary = "positions of what is true, in ascending order, and how many there are";
  let description = [{
    What `nonzero` and all that chooses by a mask come down to. The first result has an element for each one of
    the mask, zeros behind those that count.

    Constraints:
    - find-c1: the mask is bool with one dimension

    Example: `%i, %n = kiln.find %m : (tensor<9xi1>) -> (tensor<9xi64>, tensor<i64>)`
  }];
  let arguments = (ins Kiln_Tensor:$mask);
  let results = (outs Kiln_Tensor:$positions, Kiln_Tensor:$count);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = [{
    ::kiln::ir::FusionRole getFusionRole() { return ::kiln::ir::FusionRole::Procedure; }
    ::kiln::DimExpr getFlops() { return numElements(dimsOf(getMask().getType())); }
    static bool isCompatibleReturnTypes(::mlir::TypeRange l, ::mlir::TypeRange r) { return l == r; }
  }];
}

def Kiln_BindOp : Op<Kiln_Dialect, "bind"> {
  let summary = "makes a computed number a dimension";
  let description = [{
    What follows in the block, and only that, may use `symbol` in its extents; its value is `count`, from 0 to
    `most`, a polynomial of dimensions known before. The function declares the symbol in `kiln.dims` as it does
    those that a call gives. Another value ends the call with KILN_INDEX_OUT_OF_RANGE; `subject` is what the
    number is. Requirements of the function that name the symbol are checked here.

    Constraints:
    - bind-c1: the count is an i64 scalar
    - bind-c2: `most` is one polynomial
    - bind-c3: the symbol is declared by the function, and no other op binds it

    Example: `kiln.bind %n, "K", "the number of elements" {most = #kiln.dims<[N]>} : tensor<i64>`
  }];
  let arguments = (ins Kiln_Tensor:$count, StrAttr:$symbol, StrAttr:$subject, Kiln_DimsAttr:$most);
  let assemblyFormat = "$count `,` $symbol `,` $subject attr-dict `:` type($count)";
  let hasVerifier = 1;
}

#endif // KILN_IR_OPS_DATADEPENDENT_TD
