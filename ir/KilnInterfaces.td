//===- KilnInterfaces.td - what passes ask of ops -------------------------===//
#ifndef KILN_IR_INTERFACES_TD
#define KILN_IR_INTERFACES_TD

include "mlir/IR/OpBase.td"

def Kiln_Primitive : OpInterface<"Primitive"> {
  let cppNamespace = "::kiln::ir";
  let description = [{
    A primitive function of the language. The signature is read by the front end (see
    frontend/README.md): operands, then positional attributes, `*`, attributes by name.
  }];
  let methods = [StaticInterfaceMethod<"`conv2d(x, weight, bias?, *, stride: pair = 1)`",
                                       "::llvm::StringRef", "getSignature">,
                 StaticInterfaceMethod<"What it computes, in a line.", "::llvm::StringRef",
                                       "getSummary">];
}

def Kiln_Evaluable : OpInterface<"Evaluable"> {
  let cppNamespace = "::kiln::ir";
  let description = [{
    The op's meaning, written from its definition for the interpreter. Results come with type and
    shape set and storage allocated; the method fills in the elements.
  }];
  let methods = [InterfaceMethod<"Computes the results. Fails with an error of the op.",
    "::llvm::LogicalResult", "evaluate",
    (ins "::llvm::ArrayRef<const ::kiln::ir::Tensor *>":$operands,
         "::llvm::MutableArrayRef<::kiln::ir::Tensor>":$results,
         "const ::kiln::ir::Evaluation &":$evaluation)>];
}

def Kiln_Fusable : OpInterface<"Fusable"> {
  let cppNamespace = "::kiln::ir";
  let description = "What part an op can play in a kernel; fusion asks this and nothing else.";
  let methods = [InterfaceMethod<"", "::kiln::ir::FusionRole", "getFusionRole">];
}

def Kiln_Costed : OpInterface<"Costed"> {
  let cppNamespace = "::kiln::ir";
  let description = "Arithmetic work of an op, for the cost model and the profile.";
  let methods = [InterfaceMethod<"Floating-point or integer operations of one execution.",
                                 "::kiln::DimExpr", "getFlops">];
}

def Kiln_Requiring : OpInterface<"Requiring"> {
  let cppNamespace = "::kiln::ir";
  let description = [{
    An op that is defined only if its operands' extents and positions satisfy something that its types
    do not say: a position lies within an extent, say.
  }];
  let methods = [InterfaceMethod<"What must hold; the subject says of what, without the op's name.",
    "::llvm::SmallVector<::kiln::Requirement>", "getRequirements">];
}

def Kiln_Aligning : OpInterface<"Aligning"> {
  let cppNamespace = "::kiln::ir";
  let description = [{
    An op that wants extents of its operands to be the same. Where they are not the same polynomial the
    builder requires equality and views the operand under the wanted shape.
  }];
  let methods = [StaticInterfaceMethod<[{
      Replaces extents by those they must equal. `require(got, expected, subject)` is called for each
      replacement; false from it, or shapes and attributes that the op refuses anyway, end the work.
    }], "void", "alignShapes",
    (ins "::llvm::MutableArrayRef<::llvm::SmallVector<::kiln::DimExpr>>":$shapes,
         "::mlir::DictionaryAttr":$attributes,
         "::llvm::function_ref<bool(const ::kiln::DimExpr &, const ::kiln::DimExpr &, ::llvm::StringRef)>":$require)>];
}

/// An op that is short for others; `decompose` always runs before anything else.
def Kiln_Decomposable : OpInterface<"Decomposable"> {
  let cppNamespace = "::kiln::ir";
  let description = "An op with a definition in other ops of the dialect.";
  let methods = [InterfaceMethod<"Builds the definition before the op; one value a result.",
    "::llvm::SmallVector<::mlir::Value>", "decompose", (ins "::mlir::OpBuilder &":$builder)>];
}

def Kiln_Indexing : OpInterface<"Indexing"> {
  let cppNamespace = "::kiln::ir";
  let description = "An op that reads at computed positions along one axis of an operand.";
  let methods = [
    InterfaceMethod<"The tensor of positions.", "::mlir::Value", "getIndices">,
    InterfaceMethod<"The extent that positions must be within, from its negative on.", "::kiln::DimExpr",
                    "getIndexedExtent">,
    InterfaceMethod<"Whether positions have been looked at.", "bool", "getGuarded">,
    InterfaceMethod<"Says so.", "void", "setGuarded", (ins "bool":$value)>];
}

def Kiln_Counted : OpInterface<"Counted"> {
  let cppNamespace = "::kiln::ir";
  let description = [{
    An op that values tell how much it gives: the last result counts the rows that matter, the first ones, of
    those results that are counted.
  }];
  let methods = [
    InterfaceMethod<"Whether the count is of that result's rows.", "bool", "isCounted", (ins "unsigned":$result)>,
    InterfaceMethod<"Whether the caller asked for that result.", "bool", "isWanted", (ins "unsigned":$result)>];
}

def Kiln_Overwriting : OpInterface<"Overwriting"> {
  let cppNamespace = "::kiln::ir";
  let description = "An op whose only result may take the memory of an operand that it changes a part of.";
  let methods = [InterfaceMethod<"The number of that operand.", "unsigned", "getOverwritten">];
}

#endif // KILN_IR_INTERFACES_TD
