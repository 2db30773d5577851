//===- Constructor.td - tensors from nothing ------------------------------===//
#ifndef KILN_IR_OPS_CONSTRUCTOR_TD
#define KILN_IR_OPS_CONSTRUCTOR_TD

include "ir/ops/Base.td"

def Kiln_FullOp : Kiln_PrimitiveOp<"full", "full(shape: shape, value: number, dtype: dtype = f32)", "Constant",
    perResult> {
  let summary = "a tensor of one value";
  let description = [{
    Every element is `value`, converted to the element type.

    Constraints:
    - full-c1: the value is exact in an integer or bool type
    - full-c2: extents are not negative

    Example: `%y = kiln.full {shape = #kiln.dims<[2, 3]>, value = 1.0 : f64, dtype = f32} : () -> tensor<2x3xf32>`
  }];
  let arguments = (ins Kiln_DimsAttr:$shape, AnyAttrOf<[F64Attr, I64Attr]>:$value, TypeAttr:$dtype);
  let hasVerifier = 1;
}

class Kiln_Filled<string mnemonic>
    : Kiln_PrimitiveOp<mnemonic, mnemonic # "(shape: shape, dtype: dtype = f32)", "Constant", perResult,
                       [DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let arguments = (ins Kiln_DimsAttr:$shape, TypeAttr:$dtype);
}

def Kiln_ZerosOp : Kiln_Filled<"zeros"> {
  let summary = "a tensor of zeros";
  let description = [{
    Short for `kiln.full` of 0.

    Constraints:
    - filled-c1: extents are not negative

    Example: `%y = kiln.zeros {shape = #kiln.dims<[2, 3]>, dtype = f32} : () -> tensor<2x3xf32>`
  }];
}

def Kiln_OnesOp : Kiln_Filled<"ones"> {
  let summary = "a tensor of ones";
  let description = [{
    Short for `kiln.full` of 1; filled-c1 as for `kiln.zeros`.

    Example: `%y = kiln.ones {shape = #kiln.dims<[2, 3]>, dtype = f32} : () -> tensor<2x3xf32>`
  }];
}

def Kiln_ArangeOp : Kiln_PrimitiveOp<"arange", "arange(count: extent, *, start: number = 0, step: number = 1, dtype: dtype = i64)",
    "Constant", perResult> {
  let summary = "start, start + step, …";
  let description = [{
    `count` numbers: element i is start + i * step.

    Constraints:
    - arange-c1: the element type is a number
    - arange-c2: the count is not negative

    Example: `%y = kiln.arange {count = #kiln.dims<[4]>, start = 0 : i64, step = 1 : i64, dtype = i64} : () -> tensor<4xi64>`
  }];
  let arguments = (ins Kiln_DimsAttr:$count, AnyAttrOf<[F64Attr, I64Attr]>:$start,
                       AnyAttrOf<[F64Attr, I64Attr]>:$step, TypeAttr:$dtype);
}

def Kiln_EyeOp : Kiln_PrimitiveOp<"eye", "eye(count: extent, *, dtype: dtype = f32)", "Constant", perResult> {
  let summary = "the identity matrix";
  let description = [{
    A square matrix with ones on the diagonal and zeros elsewhere.

    Constraints:
    - eye-c1: the element type is a number

    Example: `%y = kiln.eye {count = #kiln.dims<[3]>, dtype = f32} : () -> tensor<3x3xf32>`
  }];
  let arguments = (ins Kiln_DimsAttr:$count, TypeAttr:$dtype);
}

def Kiln_ExtentOp : Kiln_PrimitiveOp<"extent", "extent(value: extent)", "Constant", perResult> {
  let summary = "a dimension's value as an i64 scalar";
  let description = [{
    The value of a polynomial over the named dimensions: what a dimension's name is in an expression.

    Constraints:
    - extent-c1: exactly one polynomial

    Example: `%n = kiln.extent {value = #kiln.dims<[N + 1]>} : () -> tensor<i64>`
  }];
  let arguments = (ins Kiln_DimsAttr:$value);
}

#endif // KILN_IR_OPS_CONSTRUCTOR_TD
