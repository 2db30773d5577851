//===- Passes.td - all passes of the compiler -----------------------------===//
#ifndef KILN_PASSES_TD
#define KILN_PASSES_TD

include "mlir/Pass/PassBase.td"

/// Passes that remark are module passes, so that remarks come in one order.
class Kiln_Pass<string name> : Pass<name, "::mlir::ModuleOp"> {
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def Decompose : Kiln_Pass<"kiln-decompose"> {
  let summary = "replaces ops that are short for others by their definitions";
  let description = [{
    Runs at every optimisation level. Afterwards there is no composite shape op, batch norm, mean,
    variance or logsumexp. Adaptive pooling is left only where an extent is not a number. A batch norm
    behind a convolution with trained weights becomes part of them.
  }];
}

def FoldWeights : Kiln_Pass<"kiln-fold-weights"> {
  let summary = "evaluates what depends on weights and constants only";
  let description = [{
    The interpreter's methods compute the value; it becomes a weight, or a constant where no weight took
    part and it takes at most 4 kB. What only repeats elements stays an op. Weights without a use go.
  }];
}

def Simplify : Kiln_Pass<"kiln-simplify"> {
  let summary = "decomposes, folds, canonicalises and removes what is computed twice or for nothing";
}

def Layout : Kiln_Pass<"kiln-layout"> {
  let summary = "runs convolutions and pools with channels last";
  let description = [{
    Transposes are moved through the ops around and cancelled; a transpose in front of a product with
    trained weights goes into them. Each that is left is remarked as missed.
  }];
}

def Outline : Kiln_Pass<"kiln-outline"> {
  let summary = "makes a kernel of each op";
}

def Fuse : Kiln_Pass<"kiln-fuse"> {
  let summary = "makes kernels around anchors";
  let description = [{
    A pointwise op joins the kernel that makes one of its operands, if nothing else reads that operand:
    bias, activation and residual are computed in the registers of the product or convolution. A border
    of zeros joins the convolution that reads it, a pointwise chain the reduction. Constants and
    broadcasts are repeated in every kernel that reads them.
  }];
}

def Choose : Kiln_Pass<"kiln-choose"> {
  let summary = "picks a generator and a template for each kernel";
  let options = [Option<"generator", "generator", "std::string", /*default=*/"\"llvm\"",
                        "halide or llvm: who generates">];
}

def Pack : Kiln_Pass<"kiln-pack"> {
  let summary = "lays weights out as the templates read them";
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
