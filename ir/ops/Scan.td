//===- Scan.td - running totals -------------------------------------------===//
#ifndef KILN_IR_OPS_SCAN_TD
#define KILN_IR_OPS_SCAN_TD

include "ir/ops/Base.td"

class Kiln_Scan<string mnemonic, string what, string letters>
    : Kiln_PrimitiveOp<mnemonic, mnemonic # "(x, axis: axis, *, reverse: bool = false, exclusive: bool = false)",
                       "Procedure", perOperand> {
  let summary = what;
  let description = what # [{ along an axis, as ONNX's CumSum: with `exclusive` without the element itself, with
    `reverse` from the end on. The element type stays; floats are added up in f64 in the order of the axis and
    each result is rounded once, integers wrap.

    Constraints:
    - }] # letters # [{-c1: the elements are numbers
    - }] # letters # [{-c2: the axis is in the range of the rank

    Example: `%y = kiln.}] # mnemonic # [{ %x {axis = 1 : i64, exclusive = false, reverse = false} : (tensor<4x8xf32>) -> tensor<4x8xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$axis, BoolAttr:$reverse, BoolAttr:$exclusive);
}

def Kiln_CumsumOp : Kiln_Scan<"cumsum", "the sum of the elements up to each one", "cumsum">;
def Kiln_CumprodOp : Kiln_Scan<"cumprod", "the product of the elements up to each one", "cumprod">;

#endif // KILN_IR_OPS_SCAN_TD
