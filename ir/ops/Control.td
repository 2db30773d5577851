//===- Control.td - loops, branches and state -----------------------------===//
#ifndef KILN_IR_OPS_CONTROL_TD
#define KILN_IR_OPS_CONTROL_TD

include "ir/ops/Base.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/LoopLikeInterface.td"

class Kiln_ControlOp<string mnemonic, list<Trait> traits = []> : Op<Kiln_Dialect, mnemonic, traits>;

/// What loops over carried values share: rounds, and places after `plan`.
class Kiln_LoopOp<string mnemonic, list<Trait> traits = []>
    : Kiln_ControlOp<mnemonic, traits # [RecursiveMemoryEffects, DeclareOpInterfaceMethods<LoopLikeOpInterface>]>;

def Kiln_ScanOp : Kiln_LoopOp<"scan", [AttrSizedOperandSegments, SingleBlock]> {
  let summary = "a loop over the slices of sequences";
  let description = [{
    Runs the body once for each position along dimension 0 of the sequences, from the last one with
    `reverse`. The body's arguments are one slice of each sequence, then the carried values; it yields values
    to be stacked, then the next carried ones. Results: each yielded value stacked along a new dimension 0, at
    the position of its round, then the carried values behind the last round. Without rounds these are the
    initial ones. The body may use values of around the loop. After `plan`, `offsets` gives the place of each
    carried value, then of each stack, then of values that wait for the end of a round.

    Constraints:
    - scan-c1: there is a sequence; all have at least one dimension and the same extent 0
    - scan-c2: the body takes a slice of each sequence, then the carried values, of the initial types
    - scan-c3: the body yields as many values as there are results; the carried ones keep their types
    - scan-c4: a result is a yielded value with the sequences' extent in front, or a carried value

    Example: `%ys, %h = kiln.scan sequences(%x) carries(%h0) : (tensor<9x4xf32>, tensor<4xf32>) -> (tensor<9x4xf32>, tensor<4xf32>) {
    ^bb0(%xt: tensor<4xf32>, %s: tensor<4xf32>):
      %n = kiln.add %s, %xt : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      kiln.yield %n, %n : tensor<4xf32>, tensor<4xf32>
    }`
  }];
  let arguments = (ins Variadic<Kiln_Tensor>:$sequences, Variadic<Kiln_Tensor>:$initial, UnitAttr:$reverse,
                   OptionalAttr<Kiln_DimsAttr>:$offsets);
  let results = (outs Variadic<Kiln_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`reverse` $reverse^)? `sequences` `(` $sequences `)` (`carries` `(` $initial^ `)`)? attr-dict `:`
    functional-type(operands, results) $body
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// Rounds: extent 0 of the sequences.
    ::kiln::DimExpr getRounds();
    unsigned getNumStacks() { return getNumResults() - getInitial().size(); }
    ::mlir::ResultRange getStacks() { return getResults().take_front(getNumStacks()); }
    ::mlir::ResultRange getFinals() { return getResults().drop_front(getNumStacks()); }
    ::mlir::Block::BlockArgListType getElements() { return getBody().getArguments().take_front(getSequences().size()); }
    ::mlir::Block::BlockArgListType getCarried() { return getBody().getArguments().drop_front(getSequences().size()); }
    /// What the body yields to be stacked, and for the next round.
    ::mlir::OperandRange getYielded() { return getBody().front().getTerminator()->getOperands().take_front(getNumStacks()); }
    ::mlir::OperandRange getNext() { return getBody().front().getTerminator()->getOperands().drop_front(getNumStacks()); }
  }];
}

def Kiln_WhileOp : Kiln_LoopOp<"while", [SingleBlock]> {
  let summary = "a loop that runs while a condition holds, a limited number of rounds";
  let description = [{
    Before each round the condition, one boolean yielded by its region, is computed of the carried values; the
    body then yields the next ones. The results are the carried values when the condition no longer holds, or
    `limit` rounds are over. A limit below 1 means no round. Both regions may use values of around the loop.
    After `plan`, `offsets` gives the place of each carried value, then of values that wait for the end of a round.

    Constraints:
    - while-c1: the limit is an i64 without dimensions
    - while-c2: both regions take the carried values, of the initial types, which are the results' too
    - while-c3: the condition yields a bool without dimensions
    - while-c4: the body yields the carried values

    Example: `%n = kiln.while limit(%l) carries(%n0) : (tensor<i64>, tensor<i64>) -> tensor<i64> {
    ^bb0(%a: tensor<i64>):
      %c = kiln.lt %a, %stop : (tensor<i64>, tensor<i64>) -> tensor<i1>
      kiln.yield %c : tensor<i1>
    } do {
    ^bb0(%a: tensor<i64>):
      %b = kiln.add %a, %a : (tensor<i64>, tensor<i64>) -> tensor<i64>
      kiln.yield %b : tensor<i64>
    }`
  }];
  let arguments = (ins Kiln_Tensor:$limit, Variadic<Kiln_Tensor>:$initial, OptionalAttr<Kiln_DimsAttr>:$offsets);
  let results = (outs Variadic<Kiln_Tensor>:$results);
  let regions = (region SizedRegion<1>:$condition, SizedRegion<1>:$body);
  let assemblyFormat = [{
    `limit` `(` $limit `)` (`carries` `(` $initial^ `)`)? attr-dict `:` functional-type(operands, results)
    $condition `do` $body
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Block::BlockArgListType getCarried() { return getBody().getArguments(); }
    ::mlir::OperandRange getNext() { return getBody().front().getTerminator()->getOperands(); }
    /// The value that decides on a round.
    ::mlir::Value getDecision() { return getCondition().front().getTerminator()->getOperand(0); }
  }];
}

def Kiln_IfOp : Kiln_ControlOp<"if", [RecursiveMemoryEffects, SingleBlock]> {
  let summary = "one of two branches";
  let description = [{
    Runs the first region if the condition holds, else the second; the results are what it yields. Both may
    use values of around. After `plan`, `offsets` gives the place of each result.

    Constraints:
    - if-c1: the condition is a bool without dimensions
    - if-c2: both regions take nothing and yield the results' types

    Example: `%y = kiln.if %c : (tensor<i1>) -> tensor<4xf32> {
      kiln.yield %x : tensor<4xf32>
    } else {
      kiln.yield %z : tensor<4xf32>
    }`
  }];
  let arguments = (ins Kiln_Tensor:$condition, OptionalAttr<Kiln_DimsAttr>:$offsets);
  let results = (outs Variadic<Kiln_Tensor>:$results);
  let regions = (region SizedRegion<1>:$thenBody, SizedRegion<1>:$elseBody);
  let assemblyFormat = "$condition attr-dict `:` functional-type(operands, results) $thenBody `else` $elseBody";
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Kiln_YieldOp : Kiln_ControlOp<"yield", [Pure, ParentOneOf<["ScanOp", "WhileOp", "IfOp"]>, Terminator, ReturnLike]> {
  let summary = "the values of a round or a branch";
  let description = "Example: `kiln.yield %y : tensor<4xf32>`";
  let arguments = (ins Variadic<Kiln_Tensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

def Kiln_StateOp : Kiln_ControlOp<"state", [Symbol]> {
  let summary = "a tensor that lives between the calls of an instance";
  let description = [{
    Each instance of the model has its own. `hash` names its first value in the weight store; without it the
    elements are 0.

    Constraints:
    - state-c1: the type has constant extents

    Example: `kiln.state @cache : tensor<2x64xf32>`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Kiln_Tensor>:$type, OptionalAttr<StrAttr>:$hash);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
  let hasVerifier = 1;
}

def Kiln_GetStateOp : Kiln_ControlOp<"get_state", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a state when the call begins";
  let description = [{
    Constraints:
    - getstate-c1: the symbol is a `kiln.state` of the result's type

    Example: `%s = kiln.get_state @cache : tensor<2x64xf32>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$state);
  let results = (outs Kiln_Tensor:$result);
  let assemblyFormat = "$state attr-dict `:` type($result)";
}

def Kiln_SetStateOp : Kiln_ControlOp<"set_state", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a state when the call ends";
  let description = [{
    Stands in the block of the function, once for a state at most; nothing that reads the state's old value
    follows it.

    Constraints:
    - setstate-c1: the symbol is a `kiln.state` of the operand's type
    - setstate-c2: the op stands in the block of a function, alone for its state

    Example: `kiln.set_state @cache, %s : tensor<2x64xf32>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$state, Kiln_Tensor:$value);
  let assemblyFormat = "$state `,` $value attr-dict `:` type($value)";
  let hasCanonicalizeMethod = 1;
}


#endif // KILN_IR_OPS_CONTROL_TD
