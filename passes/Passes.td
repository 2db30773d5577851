//===- Passes.td - all passes of the compiler -----------------------------===//
#ifndef KILN_PASSES_TD
#define KILN_PASSES_TD

include "mlir/Pass/PassBase.td"

/// Passes that remark are module passes, so that remarks come in one order.
class Kiln_Pass<string name> : Pass<name, "::mlir::ModuleOp"> {
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def Require : Kiln_Pass<"kiln-require"> {
  let summary = "collects what the ops of a function require of its dimensions";
  let description = [{
    What neither the bounds of the dimensions nor `kiln.requires` prove is added there, to be checked when a
    call begins; what can never hold is an error. The import has done so already: this is for IR that was
    written by hand.
  }];
}

def Decompose : Kiln_Pass<"kiln-decompose"> {
  let summary = "replaces ops that are short for others by their definitions";
  let description = [{
    Runs at every optimisation level. Afterwards there is no composite shape op, batch norm, mean,
    variance or logsumexp. Adaptive pooling is left only where an extent is not a number. A batch norm
    behind a convolution with trained weights becomes part of them. In front of an op that reads at
    computed positions stands a kiln.assert that they are in range.
  }];
}

def FoldWeights : Kiln_Pass<"kiln-fold-weights"> {
  let summary = "evaluates what depends on weights and constants only";
  let description = [{
    The interpreter's methods compute the value; it becomes a weight, or a constant where no weight took
    part and it takes at most 4 kB. What only repeats elements stays an op. Weights without a use go.
  }];
}

def HoistFromScan : Kiln_Pass<"kiln-hoist-from-scan"> {
  let summary = "multiplies whole sequences by a matrix before a scan, not slice by slice in it";
  let description = [{
    What the body of a scan computes of its sequences by a product with a matrix of around the loop, and by
    elementwise ops around that product, is computed for all rounds at once: the input product of a recurrent
    network is one matrix product.
  }];
}

def Simplify : Kiln_Pass<"kiln-simplify"> {
  let summary = "decomposes, folds, canonicalises and removes what is computed twice or for nothing";
  let description = [{
    kiln-decompose, canonicalisation, common subexpressions and kiln-fold-weights in one pass, until
    nothing is left that could be computed at compile time.
  }];
}

def Layout : Kiln_Pass<"kiln-layout"> {
  let summary = "runs convolutions and pools with channels last";
  let description = [{
    Transposes are moved through the ops around and cancelled; a transpose in front of a product with
    trained weights goes into them. Each that is left is remarked as missed.
  }];
}

def TurnOperands : Kiln_Pass<"kiln-turn-operands"> {
  let summary = "transposes activations that products of several rows read along their columns";
  let description = [{
    A product `a @ transpose(b)` of a computed `b` and at least 8 rows (or an open number) reads b by gathers or
    sums in lanes; one transpose in a kernel of its own costs less. Weights are left: their layout is kiln-pack's.
  }];
}

def LoopInvariant : Kiln_Pass<"kiln-loop-invariant"> {
  let summary = "moves what no round changes before the loop";
  let description = [{
    An op whose operands are made outside of a loop is computed once, before it. One whose extents the loop's
    own values decide stays.
  }];
}

def Prune : Kiln_Pass<"kiln-prune"> {
  let summary = "writes zeros into the weights that a recipe names";
  let description = [{
    The prune rules of `kiln.compress`: a part of a weight's elements, or of each run of M input channels
    all but N, the smallest by magnitude; or a part of a layer's channels, which go out of all that has them.
    Products with many zeros become `kiln.sparse_matmul`.
  }];
}

def Quantize : Kiln_Pass<"kiln-quantize"> {
  let summary = "stores the weights that a recipe names in fewer bits";
  let description = [{
    The quantize and keep rules of `kiln.compress`: weights become bf16 or f16, or i8 with scales, and
    are widened in the kernels that read them, or multiplied with activations in u8. Fills the ledger.
  }];
}

def Fuse : Kiln_Pass<"kiln-fuse"> {
  let summary = "forms kernels around anchors and launches them";
  let description = [{
    A contraction, convolution, window or row-wise op takes the pointwise ops behind it and the border
    before it; what is left are chains of pointwise ops. Equal kernels are one symbol. For GPUs attention is
    one kernel, however long its rows are, with the casts of its factors.
  }];
  let options = [Option<"forDevices", "devices", "bool", "false",
                        "form kernels for GPUs: no processor runs them">];
}

def Outline : Kiln_Pass<"kiln-outline"> {
  let summary = "makes each op a kernel of its own and launches it";
  let description = [{
    What -O0 runs instead of kiln-fuse: each op that computes something is a kernel of its own; constants
    and broadcasts are repeated in the kernels that read them.
  }];
}

def Choose : Kiln_Pass<"kiln-choose"> {
  let summary = "picks each kernel's generator and template";
  let description = [{
    Writes `kiln.generator` and `kiln.template` on each kernel, by its anchor's role and the facts of its
    operands. A kernel that no template fits goes to the LLVM generator. Left to itself (`auto`), a kernel
    goes to Halide where a similar one was measured to be faster on the target. Convolutions that Winograd's
    transforms are estimated to make faster say so in `kiln.tile`, and go to LLVM.
  }];
  let options = [Option<"generator", "generator", "std::string", "\"halide\"",
                        "halide where it has a template, llvm, or auto">,
                 Option<"target", "target", "std::string", "\"native\"", "whose measurements count">,
                 Option<"fastConv", "fast-conv", "std::string", "\"off\"",
                        "auto, off, f2 or f4: Winograd's tiles for filters of 3 x 3">];
}

def Pack : Kiln_Pass<"kiln-pack"> {
  let summary = "lays weights out as the chosen templates read them";
  let description = [{
    Weights of `linear` and `conv2d` kernels go into panels of 16 columns, those of `depthwise` have
    their channels last. The kernel's argument changes its type and `kiln.panel` gives the logical
    shape; its body restores that shape, so that the kernel still says what it computes. For GPUs there
    are no panels: weights of `linear` kernels whose columns are neighbours are turned.
  }];
  let options = [Option<"forDevices", "devices", "bool", "false",
                        "lay weights out for GPUs: no processor reads them">];
}

def Plan : Kiln_Pass<"kiln-plan"> {
  let summary = "places every value in one arena";
  let description = [{
    Values of launches get offsets such that those alive at one time do not overlap; what a function
    returns is written straight into the caller's memory. Sizes that differ by a number only are
    placed largest first at the lowest free place; others share slots that are provably large enough.
  }];
}

#endif // KILN_PASSES_TD
