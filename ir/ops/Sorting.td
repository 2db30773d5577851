//===- Sorting.td - elements in order -------------------------------------===//
#ifndef KILN_IR_OPS_SORTING_TD
#define KILN_IR_OPS_SORTING_TD

include "ir/ops/Base.td"

class Kiln_SortingOp<string mnemonic, string signature, string role, list<Trait> traits = []>
    : Kiln_PrimitiveOp<mnemonic, signature, role, perOperand, traits>;

def Kiln_SortOp : Kiln_SortingOp<"sort", "sort(x, axis: axis = -1, descending: bool = false)", "Opaque",
    [DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "elements in order along an axis, and the positions (i64) that they had";
  let description = [{
    As PyTorch's `sort` with `stable=True`: equal elements keep their order, in both directions. NaN is the
    greatest, NaNs are equal and so are the two zeros; false is less than true.

    Constraints:
    - sort-c1: the axis is in the range of the rank

    Example: `%y, %i = kiln.sort %x {axis = 1 : i64, descending = false} : (tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xi64>)`
  }];
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$axis, BoolAttr:$descending);
  let results = (outs Kiln_Tensor:$values, Kiln_Tensor:$indices);
}

def Kiln_ArgsortOp : Kiln_SortingOp<"argsort", "argsort(x, axis: axis = -1, descending: bool = false)", "Opaque",
    [DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "positions (i64) of the elements in order along an axis";
  let description = [{
    As PyTorch's `argsort` with `stable=True`: the second result of `sort`.

    Constraints:
    - argsort-c1: the axis is in the range of the rank

    Example: `%i = kiln.argsort %x {axis = 1 : i64, descending = false} : (tensor<4x8xf32>) -> tensor<4x8xi64>`
  }];
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$axis, BoolAttr:$descending);
}

def Kiln_TopkOp : Kiln_SortingOp<"topk",
    "topk(x, k: extent, axis: axis = -1, largest: bool = true, sorted: bool = true)", "Procedure",
    [DeclareOpInterfaceMethods<Kiln_Requiring>]> {
  let summary = "the k largest (or least) elements along an axis, and their positions (i64)";
  let description = [{
    As PyTorch's `topk`: the first k elements of `sort(x, axis, descending = largest)` and their positions, so
    that NaN is the greatest and of equal elements the first is taken. With `sorted = false` the order is
    nobody's business; it is the same.

    Constraints:
    - topk-c1: the axis is in the range of the rank
    - topk-c2: k is at least 0 and at most the extent of the axis; where the polynomials do not say so, it is
      required when a call begins

    Example: `%y, %i = kiln.topk %x {k = #kiln.dims<[2]>, axis = 1 : i64, largest = true, sorted = true} : (tensor<4x8xf32>) -> (tensor<4x2xf32>, tensor<4x2xi64>)`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_DimsAttr:$k, I64Attr:$axis, BoolAttr:$largest, BoolAttr:$sorted);
  let results = (outs Kiln_Tensor:$values, Kiln_Tensor:$indices);
}

#endif // KILN_IR_OPS_SORTING_TD
