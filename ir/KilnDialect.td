//===- KilnDialect.td - the dialect and its attributes -------- --------===//
#ifndef KILN_IR_DIALECT_TD
#define KILN_IR_DIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/TensorEncoding.td"

def Kiln_Dialect : Dialect {
  let name = "kiln";
  let cppNamespace = "::kiln::ir";
  let summary = "Neural networks on tensors whose extents are named polynomials";
  let description = [{
    The dialect that the language lowers to and every pass works on. A primitive function of the
    language is an op of this dialect. Values are ranked tensors; a type with an extent that is not a
    number carries `#kiln.dims`, which names every extent. Broadcasting is explicit, weights are
    module symbols, and nothing here knows of targets.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let extraClassDeclaration = [{
    /// The bytes behind `kiln.weight` symbols of this context.
    ::kiln::WeightStore &getWeights() { return *weights; }
    void setWeights(std::shared_ptr<::kiln::WeightStore> store) { weights = std::move(store); }
    /// What compression did to the layers of this context's module.
    ::kiln::Ledger &getLedger() { return ledger; }

  private:
    std::shared_ptr<::kiln::WeightStore> weights;
    ::kiln::Ledger ledger;
  public:
  }];
}

def Kiln_DimsAttr : AttrDef<Kiln_Dialect, "Dims",
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let mnemonic = "dims";
  let summary = "a list of extents as canonical polynomials over named dimensions";
  let description = [{
    As a tensor's encoding it gives each extent: `tensor<?x784xf32, #kiln.dims<[N, 784]>>`. A `?`
    stands exactly where the polynomial is not a constant. As an attribute of an op it gives shapes,
    paddings and positions. Symbols are declared by the enclosing function in `kiln.dims`.
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$texts);
  let builders = [AttrBuilder<(ins "::llvm::ArrayRef<::kiln::DimExpr>":$dims)>];
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    /// The extents, parsed from their canonical text.
    ::llvm::SmallVector<::kiln::DimExpr> getDims() const;
    size_t size() const { return getTexts().size(); }
  }];
}

def Kiln_RequirementAttr : AttrDef<Kiln_Dialect, "Requirement"> {
  let mnemonic = "require";
  let summary = "what a call's dimensions must satisfy";
  let description = [{
    An element of a function's `kiln.requires`: the first extent is `==`, `>=` or `<=` the second. Checked
    when a call begins, before anything runs; `subject` says what the first one is, in the user's terms.

    Example: `#kiln.require<"the index" [N - 3, 0] ">=" loc("m.kiln":4:9)>`
  }];
  let parameters = (ins "::mlir::StringAttr":$subject, "::kiln::ir::DimsAttr":$sides,
                        "::mlir::StringAttr":$relation, "::mlir::LocationAttr":$loc);
  let assemblyFormat = "`<` $subject $sides $relation $loc `>`";
  let extraClassDeclaration = [{
    ::kiln::Requirement getRequirement() const;
    static RequirementAttr get(::mlir::Location loc, const ::kiln::Requirement &requirement);
  }];
}

#endif // KILN_IR_DIALECT_TD
