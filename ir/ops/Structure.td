//===- Structure.td - weights, constants, kernels -------------------------===//
#ifndef KILN_IR_OPS_STRUCTURE_TD
#define KILN_IR_OPS_STRUCTURE_TD

include "ir/ops/Base.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

class Kiln_StructureOp<string mnemonic, list<Trait> traits = []> : Op<Kiln_Dialect, mnemonic, traits>;

def Kiln_ConstantOp : Kiln_StructureOp<"constant", [Pure, ConstantLike,
    DeclareOpInterfaceMethods<Kiln_Evaluable>, Kiln_Fusable, Kiln_Costed, AllTypesMatch<["value", "result"]>]> {
  let summary = "a small tensor known at compile time";
  let description = [{
    Up to 4 kB of elements in the IR; larger ones are `kiln.weight`.

    Constraints:
    - constant-c1: the value takes at most 4 kB

    Example: `%c = kiln.constant dense<1.0> : tensor<4xf32>`
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Kiln_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::kiln::ir::FusionRole getFusionRole() { return ::kiln::ir::FusionRole::Constant; }
    ::kiln::DimExpr getFlops() { return 0; }
  }];
}

def Kiln_WeightOp : Kiln_StructureOp<"weight", [Symbol]> {
  let summary = "a trained tensor of the model";
  let description = [{
    Names a tensor by its path and gives the hash of its bytes in the weight store. `hash` is absent
    until weights are read.

    Constraints:
    - weight-c1: the type has constant extents

    Example: `kiln.weight @fc.weight : tensor<10x84xf32> {hash = "…"}`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Kiln_Tensor>:$type, OptionalAttr<StrAttr>:$hash);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
  let hasVerifier = 1;
}

def Kiln_GetOp : Kiln_StructureOp<"get", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a weight";
  let description = [{
    Constraints:
    - get-c1: the symbol is a `kiln.weight` of the result's type

    Example: `%w = kiln.get @fc.weight : tensor<10x84xf32>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs Kiln_Tensor:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def Kiln_PackOp : Kiln_StructureOp<"pack", [Pure, DeclareOpInterfaceMethods<Kiln_Evaluable>]> {
  let summary = "lays a weight out in panels of 16 columns";
  let description = [{
    From [N, K…] to [ceil(N / 16), K…, 16]: element (n, k…) goes to (n / 16, k…, n % 16); lanes beyond
    N are zero. The one layout that all x86 f32 templates read.

    Constraints:
    - pack-c1: the operand has constant extents and at least two dimensions

    Example: `%p = kiln.pack %w : tensor<20x8xf32> -> tensor<2x8x16xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$weight);
  let results = (outs Kiln_Tensor:$result);
  let assemblyFormat = "$weight attr-dict `:` type($weight) `->` type($result)";
  let hasVerifier = 1;
}

def Kiln_KernelOp : Kiln_StructureOp<"kernel", [IsolatedFromAbove, FunctionOpInterface]> {
  let summary = "what one generated function computes";
  let description = [{
    A function of kiln ops that is compiled as one kernel; `kiln.dims` declares its dimensions. After
    `choose` it carries `generator`, `template` and tile parameters.

    Constraints:
    - kernel-c1: the body ends in `kiln.return` of the results' types

    Example: `kiln.kernel @k(%x: tensor<4xf32>) -> tensor<4xf32> { … kiln.return %y : tensor<4xf32> }`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$function_type,
    OptionalAttr<DictArrayAttr>:$arg_attrs, OptionalAttr<DictArrayAttr>:$res_attrs,
    OptionalAttr<StrAttr>:$sym_visibility);
  let regions = (region AnyRegion:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Region *getCallableRegion() { return &getBody(); }
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    /// The argument whose memory the only result may take.
    ::std::optional<unsigned> getOverwritten();
  }];
}

def Kiln_ReturnOp : Kiln_StructureOp<"return", [Pure, HasParent<"KernelOp">, Terminator, ReturnLike]> {
  let summary = "the results of a kernel";
  let description = "Example: `kiln.return %y : tensor<4xf32>`";
  let arguments = (ins Variadic<Kiln_Tensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

def Kiln_LaunchOp : Kiln_StructureOp<"launch", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "one call of a kernel";
  let description = [{
    Values of the kernel's dimensions are the caller's of the same names. After `plan`, `offsets`
    gives each result's place in the arena in bytes; with `in_place` the result takes the memory of the operand
    that the kernel overwrites.

    Constraints:
    - launch-c1: the kernel exists and its type is that of operands and results

    Example: `%y = kiln.launch @k(%x) : (tensor<4xf32>) -> tensor<4xf32>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Kiln_Tensor>:$operands, OptionalAttr<Kiln_DimsAttr>:$offsets,
                   UnitAttr:$in_place);
  let results = (outs Variadic<Kiln_Tensor>:$results);
  let assemblyFormat = "$kernel `(` $operands `)` attr-dict `:` functional-type($operands, $results)";
}

#endif // KILN_IR_OPS_STRUCTURE_TD
