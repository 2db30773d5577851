//===- Shape.td - data movement -------------------------------------------===//
#ifndef KILN_IR_OPS_SHAPE_TD
#define KILN_IR_OPS_SHAPE_TD

include "ir/ops/Base.td"

class Kiln_ShapeOp<string mnemonic, string signature, string role, list<Trait> traits = []>
    : Kiln_PrimitiveOp<mnemonic, signature, role, "::kiln::DimExpr(0)", traits>;
class Kiln_CompositeShapeOp<string mnemonic, string signature, list<Trait> traits = []>
    : Kiln_ShapeOp<mnemonic, signature, "Movement", traits # [DeclareOpInterfaceMethods<Kiln_Decomposable>]>;

def Kiln_ReshapeOp : Kiln_ShapeOp<"reshape", "reshape(x, shape: shape)", "View", [DeclareOpInterfaceMethods<Kiln_Requiring>]> {
  let summary = "the same elements in another shape";
  let description = [{
    Elements in row-major order, as NumPy's `reshape`. One extent may be written -1 in the language.

    Constraints:
    - reshape-c1: the number of elements stays; where the polynomials do not say so, it is required when a
      call begins
    - reshape-c2: extents are not negative, and at most one is -1

    Example: `%y = kiln.reshape %x {shape = #kiln.dims<[6]>} : (tensor<2x3xf32>) -> tensor<6xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_DimsAttr:$shape);
  let hasFolder = 1;
}

def Kiln_FlattenOp : Kiln_CompositeShapeOp<"flatten", "flatten(x, start_axis: axis = 0, end_axis: axis = -1)"> {
  let summary = "joins a range of dimensions";
  let description = [{
    Dimensions start_axis … end_axis become one, as PyTorch's `flatten`.

    Constraints:
    - flatten-c1: start_axis is not behind end_axis

    Example: `%y = kiln.flatten %x {start_axis = 1 : i64, end_axis = 2 : i64} : (tensor<2x3x4xf32>) -> tensor<2x12xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$start_axis, I64Attr:$end_axis);
}

def Kiln_SqueezeOp : Kiln_CompositeShapeOp<"squeeze", "squeeze(x, axis: axes)", [DeclareOpInterfaceMethods<Kiln_Aligning>]> {
  let summary = "removes dimensions of extent 1";
  let description = [{
    As NumPy's `squeeze` with given axes.

    Constraints:
    - squeeze-c1: the extents of the axes are 1

    Example: `%y = kiln.squeeze %x {axis = array<i64: 0>} : (tensor<1x4xf32>) -> tensor<4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, DenseI64ArrayAttr:$axis);
}

def Kiln_UnsqueezeOp : Kiln_CompositeShapeOp<"unsqueeze", "unsqueeze(x, axis: new_axis)"> {
  let summary = "inserts a dimension of extent 1";
  let description = [{
    The new dimension stands at `axis` of the result, as PyTorch's `unsqueeze`.

    Constraints:
    - unsqueeze-c1: the axis is in the range of the result's rank

    Example: `%y = kiln.unsqueeze %x {axis = 0 : i64} : (tensor<4xf32>) -> tensor<1x4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$axis);
}

def Kiln_TransposeOp : Kiln_CompositeShapeOp<"transpose", "transpose(x)"> {
  let summary = "swaps the last two dimensions";
  let description = [{
    Constraints:
    - transpose-c1: x has at least two dimensions

    Example: `%y = kiln.transpose %x : (tensor<2x3xf32>) -> tensor<3x2xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x);
}

def Kiln_PermuteOp : Kiln_ShapeOp<"permute", "permute(x, axes: ints)", "Movement"> {
  let summary = "reorders dimensions";
  let description = [{
    Dimension i of the result is dimension axes[i] of x, as PyTorch's `permute`.

    Constraints:
    - permute-c1: axes is a permutation of 0 … rank - 1

    Example: `%y = kiln.permute %x {axes = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, DenseI64ArrayAttr:$axes);
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Kiln_BroadcastToOp : Kiln_ShapeOp<"broadcast_to", "broadcast_to(x, shape: shape)", "Movement", [DeclareOpInterfaceMethods<Kiln_Aligning>]> {
  let summary = "repeats along dimensions of extent 1";
  let description = [{
    NumPy's broadcasting made explicit: shapes are aligned at the end; a missing dimension or one of
    the constant extent 1 is repeated. Also called `expand`.

    Constraints:
    - broadcast_to-c1: every other extent of x is that of the result

    Example: `%y = kiln.broadcast_to %x {shape = #kiln.dims<[2, 3]>} : (tensor<3xf32>) -> tensor<2x3xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_DimsAttr:$shape);
  let hasFolder = 1;
}

def Kiln_ExpandOp : Kiln_CompositeShapeOp<"expand", "expand(x, shape: shape)", [DeclareOpInterfaceMethods<Kiln_Aligning>]> {
  let summary = "repeats along dimensions of extent 1";
  let description = [{
    PyTorch's name of `kiln.broadcast_to`.

    Constraints:
    - expand-c1: as broadcast_to-c1

    Example: `%y = kiln.expand %x {shape = #kiln.dims<[2, 3]>} : (tensor<3xf32>) -> tensor<2x3xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_DimsAttr:$shape);
}

def Kiln_ConcatOp : Kiln_ShapeOp<"concat", "concat(xs..., axis: axis = 0)", "Movement", [DeclareOpInterfaceMethods<Kiln_Aligning>]> {
  let summary = "joins tensors along a dimension";
  let description = [{
    As NumPy's `concatenate`.

    Constraints:
    - concat-c1: at least one operand; all have one type of element and rank
    - concat-c2: all extents but the axis' are equal

    Example: `%y = kiln.concat %a, %b {axis = 0 : i64} : (tensor<2x3xf32>, tensor<1x3xf32>) -> tensor<3x3xf32>`
  }];
  let arguments = (ins Variadic<Kiln_Tensor>:$xs, I64Attr:$axis);
}

def Kiln_StackOp : Kiln_CompositeShapeOp<"stack", "stack(xs..., axis: new_axis = 0)", [DeclareOpInterfaceMethods<Kiln_Aligning>]> {
  let summary = "joins tensors along a new dimension";
  let description = [{
    As NumPy's `stack`.

    Constraints:
    - stack-c1: at least one operand; all have one type

    Example: `%y = kiln.stack %a, %b {axis = 0 : i64} : (tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>`
  }];
  let arguments = (ins Variadic<Kiln_Tensor>:$xs, I64Attr:$axis);
}

def Kiln_SplitOp : Kiln_CompositeShapeOp<"split", "split(x, sizes: parts, axis: axis = 0)", [DeclareOpInterfaceMethods<Kiln_Aligning>]> {
  let summary = "cuts a tensor into parts along a dimension";
  let description = [{
    `split(x, 3)` gives three equal parts, `split(x, [2, 5])` parts of those sizes.

    Constraints:
    - split-c1: the sizes add up to the extent of the axis (or divide it equally)

    Example: `%a, %b = kiln.split %x {sizes = #kiln.dims<[2, 1]>, axis = 0 : i64} : (tensor<3x4xf32>) -> (tensor<2x4xf32>, tensor<1x4xf32>)`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_DimsAttr:$sizes, I64Attr:$axis);
  let results = (outs Variadic<Kiln_Tensor>:$results);
}

def Kiln_SliceOp : Kiln_ShapeOp<"slice", "slice(x, starts: shape, sizes: shape, *, steps: ints = 1)", "Movement", [DeclareOpInterfaceMethods<Kiln_Requiring>]> {
  let summary = "a box of elements with steps";
  let description = [{
    Element i of a dimension is x's element start + i * step; the step may be negative.

    Constraints:
    - slice-c1: starts, sizes and steps have one entry a dimension, steps are not 0
    - slice-c2: the box lies inside of x

    Example: `%y = kiln.slice %x {starts = #kiln.dims<[1]>, sizes = #kiln.dims<[2]>, steps = array<i64: 1>} : (tensor<4xf32>) -> tensor<2xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_DimsAttr:$starts, Kiln_DimsAttr:$sizes, DenseI64ArrayAttr:$steps);
  let hasFolder = 1;
}

def Kiln_PadOp : Kiln_ShapeOp<"pad", "pad(x, padding: pads, mode: str = 'constant', value: float = 0.0)", "Movement", [DeclareOpInterfaceMethods<Kiln_Requiring>]> {
  let summary = "adds a border: of one value, or of x reflected, replicated or continued";
  let description = [{
    `low` and `high` elements a dimension. In the language `padding` is a list of pairs, one a dimension, as
    NumPy's `pad`. The modes are PyTorch's: `constant`, where all of the border is `value`; `reflect`, where
    x is mirrored at its first and last element, which are not repeated; `replicate`, where these two are
    repeated; `circular`, where x begins anew.

    Constraints:
    - pad-c1: one pair of extents a dimension, not negative
    - pad-c2: the mode is one of the four, and value is 0 in all but `constant`
    - pad-c3: a border is below x's extent (reflect), at most that (circular), or there are elements to
      replicate; where the polynomials do not say so, it is required when a call begins

    Example: `%y = kiln.pad %x {padding = #kiln.dims<[1, 1]>, value = 0.0 : f64} : (tensor<4xf32>) -> tensor<6xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_DimsAttr:$padding, F64Attr:$value,
                       DefaultValuedAttr<StrAttr, "\"constant\"">:$mode);
  let extraClassDeclaration = primitiveDeclarations # [{
    bool isConstant() { return getMode() == "constant"; }
  }];
}

def Kiln_TileOp : Kiln_CompositeShapeOp<"tile", "tile(x, repeats: ints)"> {
  let summary = "repeats a tensor along each dimension";
  let description = [{
    As NumPy's `tile` with one repeat a dimension.

    Constraints:
    - tile-c1: one repeat a dimension, not negative

    Example: `%y = kiln.tile %x {repeats = array<i64: 2>} : (tensor<3xf32>) -> tensor<6xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, DenseI64ArrayAttr:$repeats);
}

def Kiln_FlipOp : Kiln_CompositeShapeOp<"flip", "flip(x, axis: axes)"> {
  let summary = "reverses dimensions";
  let description = [{
    Constraints:
    - flip-c1: axes are different and in the range of the rank

    Example: `%y = kiln.flip %x {axis = array<i64: 0>} : (tensor<3xf32>) -> tensor<3xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, DenseI64ArrayAttr:$axis);
}

def Kiln_RollOp : Kiln_CompositeShapeOp<"roll", "roll(x, shift: int, axis: axis)"> {
  let summary = "rotates a dimension";
  let description = [{
    Element i moves to (i + shift) modulo the extent, as NumPy's `roll`.

    Constraints:
    - roll-c1: the axis is in the range of x's rank

    Example: `%y = kiln.roll %x {shift = 1 : i64, axis = 0 : i64} : (tensor<3xf32>) -> tensor<3xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$shift, I64Attr:$axis);
}

#endif // KILN_IR_OPS_SHAPE_TD
