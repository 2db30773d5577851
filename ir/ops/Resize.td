//===- Resize.td - images of other extents --------------------------------===//
#ifndef KILN_IR_OPS_RESIZE_TD
#define KILN_IR_OPS_RESIZE_TD

include "ir/ops/Base.td"

def Kiln_InterpolateOp : Kiln_PrimitiveOp<"interpolate",
    "interpolate(x, size: shape = [], scale_factor: floats = [], mode: str = 'nearest', align_corners: bool = false)",
    "Window", "flops()", [DeclareOpInterfaceMethods<Kiln_Requiring>]> {
  let summary = "an image of another size, between its elements";
  let description = [{
    As PyTorch's `interpolate` (ONNX's Resize) of x of [N, C, spatial dimensions] (with `channels_last`,
    [N, spatial dimensions, C]). Either `size` gives the spatial extents m, or `scale_factor` gives factors s,
    and m = floor(n s); one number stands for all dimensions. A factor is the simplest fraction that rounds to
    the number written. With s = m / n for `size`, element i of the result lies along each dimension at

    - `nearest`: floor(i / s), which is the element taken; `nearest-exact`: floor((i + 0.5) / s);
    - `linear` (or `bilinear`, `trilinear`) and `cubic` (or `bicubic`): (i + 0.5) / s - 0.5, or with
      `align_corners` i (n - 1) / (m - 1), and 0 where m is 1.

    `linear` mixes the two elements beside that position by their distance; one before the first element is
    the first one. `cubic` weighs the two elements on each side by Keys' kernel of a = -0.75. An element beyond
    an end is that at the end. A position right on an element gives that element, whatever is beside it.
    Positions are computed exactly, in fractions. Antialiasing is not there; PyTorch's mode `area` is
    `adaptive_avg_pool2d`.

    Constraints:
    - interpolate-c1: x has a batch, channels and one to three spatial dimensions
    - interpolate-c2: either size or scale_factor is given, one number or one a spatial dimension
    - interpolate-c3: a factor is a fraction of positive integers below 2^20
    - interpolate-c4: the mode is one of those above, and PyTorch's names go with their number of dimensions
    - interpolate-c5: only nearest elements are taken of other types than floats, and not by align_corners
    - interpolate-c6: extents of x and of the result are at least 1

    Example: `%y = kiln.interpolate %x {size = #kiln.dims<[6]>, scale_factor = array<f64>, mode = "linear", align_corners = false} : (tensor<1x3x4xf32>) -> tensor<1x3x6xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_DimsAttr:$size, DenseF64ArrayAttr:$scale_factor, StrAttr:$mode,
                       BoolAttr:$align_corners, UnitAttr:$channels_last);
  let extraClassDeclaration = primitiveDeclarations # [{
    ::kiln::DimExpr flops();
    /// Where elements of the result lie along each spatial dimension, and what is taken there.
    ::llvm::SmallVector<::kiln::ir::Sampling> getSampling();
  }];
}

class Kiln_PixelOp<string mnemonic, string signature>
    : Kiln_PrimitiveOp<mnemonic, signature, "Movement", "::kiln::DimExpr(0)",
        [DeclareOpInterfaceMethods<Kiln_Requiring>, DeclareOpInterfaceMethods<Kiln_Decomposable>]>;

def Kiln_PixelShuffleOp : Kiln_PixelOp<"pixel_shuffle", "pixel_shuffle(x, upscale_factor: int)"> {
  let summary = "channels side by side in larger images";
  let description = [{
    As PyTorch's `pixel_shuffle` and ONNX's DepthToSpace in mode CRD: of [..., C r r, H, W] makes
    [..., C, H r, W r], where y[c, h r + i, w r + j] = x[(c r + i) r + j, h, w].

    Constraints:
    - pixel_shuffle-c1: x has at least three dimensions and the factor is from 1 to 2^15
    - pixel_shuffle-c2: the factor's square divides the channels; where the polynomials do not say so, it is
      required when a call begins

    Example: `%y = kiln.pixel_shuffle %x {upscale_factor = 2 : i64} : (tensor<1x8x3x3xf32>) -> tensor<1x2x6x6xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$upscale_factor);
}

def Kiln_PixelUnshuffleOp : Kiln_PixelOp<"pixel_unshuffle", "pixel_unshuffle(x, downscale_factor: int)"> {
  let summary = "parts of images as channels of smaller ones";
  let description = [{
    As PyTorch's `pixel_unshuffle`, which undoes `pixel_shuffle`: of [..., C, H r, W r] makes
    [..., C r r, H, W].

    Constraints:
    - pixel_unshuffle-c1: x has at least three dimensions and the factor is from 1 to 2^15
    - pixel_unshuffle-c2: the factor divides height and width; where the polynomials do not say so, it is
      required when a call begins

    Example: `%y = kiln.pixel_unshuffle %x {downscale_factor = 2 : i64} : (tensor<1x2x6x6xf32>) -> tensor<1x8x3x3xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$downscale_factor);
}

def Kiln_RoiAlignOp : Kiln_PrimitiveOp<"roi_align",
    "roi_align(x, boxes, output_size: pair, spatial_scale: float = 1.0, sampling_ratio: int = 0, aligned: bool = false)",
    "RowWise", perResult # " * ::kiln::DimExpr(8 * getSamplingRatio() * getSamplingRatio())",
    [DeclareOpInterfaceMethods<Kiln_Requiring>, DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "boxes cut out of images in one size, by means of elements between the images' own";
  let description = [{
    As torchvision's `ops.roi_align` (He et al., "Mask R-CNN", arXiv 1703.06870): x is [N, C, H, W], each row of
    boxes [K, 5] the number of an image and x1, y1, x2, y2; the result is [K, C, P, Q], (P, Q) being `output_size`.
    Corners are multiplied by `spatial_scale` (less 0.5 with `aligned`; without, sides are at least 1). A box
    of P x Q cells has S x S samples in each cell, S being `sampling_ratio`, evenly and half a step from its
    border: along the height at y1 + p h + (i + 0.5) h / S, where h = (y2 - y1) / P. A cell is the mean of its
    samples; a sample mixes the four elements around it by their distance, one before the first element or behind
    the last one is that element, and one more than 1 before the first, or behind H (or W), is 0.
    Positions are computed in f64; of a box with NaN the result is NaN. With torchvision's `sampling_ratio` of 0
    the number of samples depends on the box: that is refused. The number of an image is cut to an integer; one
    that is not from 0 to N - 1 ends the call with the status KILN_INDEX_OUT_OF_RANGE.

    Constraints:
    - roi_align-c1: x has floats and four dimensions
    - roi_align-c2: boxes are floats [K, 5]
    - roi_align-c3: extents of output_size are from 1 to 2^15
    - roi_align-c4: sampling_ratio is from 1 to 2^15
    - roi_align-c5: spatial_scale is a positive number
    - roi_align-c6: height and width are at least 1

    Example: `%y = kiln.roi_align %x, %b {output_size = array<i64: 2, 3>, spatial_scale = 0.5 : f64, sampling_ratio = 2 : i64, aligned = true} : (tensor<1x4x9x8xf32>, tensor<5x5xf32>) -> tensor<5x4x2x3xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$boxes, DenseI64ArrayAttr:$output_size, F64Attr:$spatial_scale,
                       I64Attr:$sampling_ratio, BoolAttr:$aligned);
}

#endif // KILN_IR_OPS_RESIZE_TD
