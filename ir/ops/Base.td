//===- Base.td - classes that the families share --------------------------===//
#ifndef KILN_IR_OPS_BASE_TD
#define KILN_IR_OPS_BASE_TD

include "ir/KilnDialect.td"
include "ir/KilnInterfaces.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

/// A ranked tensor of an element type of the language.
def Kiln_Tensor : TensorOf<[F64, F32, F16, BF16, F8E4M3FN, F8E5M2, I64, I32, I16, I8, UI8, I1]>;

/// An op that is a primitive function of the language: `signature` is its call, `role` its part in
/// kernels, `flops` the C++ expression of its cost (a DimExpr; `*this` is the op).
class Kiln_PrimitiveOp<string mnemonic, string signature, string role, string flops,
                       list<Trait> traits = []>
    : Op<Kiln_Dialect, mnemonic, traits # [Pure, DeclareOpInterfaceMethods<Kiln_Evaluable>,
          DeclareOpInterfaceMethods<InferTypeOpInterface>, Kiln_Primitive, Kiln_Fusable, Kiln_Costed]> {
  code primitiveDeclarations = [{
    static ::llvm::StringRef getSignature() { return "}] # signature # [{"; }
    static ::llvm::StringRef getSummary() { return R"kiln(}] # summary # [{)kiln"; }
    ::kiln::ir::FusionRole getFusionRole() { return ::kiln::ir::FusionRole::}] # role # [{; }
    ::kiln::DimExpr getFlops() { return }] # flops # [{; }
    static bool isCompatibleReturnTypes(::mlir::TypeRange l, ::mlir::TypeRange r) { return l == r; }
  }];
  let extraClassDeclaration = primitiveDeclarations;
  let results = (outs Kiln_Tensor:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

defvar perResult = "::kiln::ir::numElements(::kiln::ir::dimsOf((*this)->getResult(0).getType()))";
defvar perOperand = "::kiln::ir::numElements(::kiln::ir::dimsOf((*this)->getOperand(0).getType()))";

#endif // KILN_IR_OPS_BASE_TD
