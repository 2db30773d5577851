//===- Control.cpp - loops, branches and state ----------------------------===//

#include "ir/ops/Common.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

/// Whether the type is of one element without dimensions.
static bool isScalar(Type type, DType dtype) {
  return dimsOf(type).empty() && dtypeOf(type) == dtype;
}

static std::string listText(TypeRange types) {
  std::string text;
  for (Type type : types)
    text += (text.empty() ? "" : ", ") + typeText(type);
  return text.empty() ? "nothing" : text;
}

/// A region's arguments or what it yields are of these types.
static LogicalResult checkTypes(Operation *op, StringRef what, TypeRange got, TypeRange expected) {
  if (got == expected)
    return success();
  return op->emitOpError(what) << ": expected " << listText(expected) << ", got " << listText(got);
}

static TypeRange yieldedTypes(Region &region) {
  return region.front().getTerminator()->getOperandTypes();
}

//===----------------------------------------------------------------------===//
// scan
//===----------------------------------------------------------------------===//

DimExpr ScanOp::getRounds() { return dimsOf(getSequences()[0].getType())[0]; }

SmallVector<Region *> ScanOp::getLoopRegions() { return {&getBody()}; }

LogicalResult ScanOp::verify() {
  if (getSequences().empty()) // scan-c1
    return emitOpError("expected a sequence");
  SmallVector<Type> arguments, results;
  for (Value sequence : getSequences()) {
    SmallVector<DimExpr> dims = dimsOf(sequence.getType());
    if (dims.empty() || dims[0] != dimsOf(getSequences()[0].getType())[0]) // scan-c1
      return emitOpError("expected sequences of one length, got ")
             << listText(getSequences().getTypes());
    arguments.push_back(tensorType(cast<RankedTensorType>(sequence.getType()).getElementType(),
                                   ArrayRef(dims).drop_front()));
  }
  llvm::append_range(arguments, getInitial().getTypes());
  if (failed(checkTypes(*this, "arguments of the body", getBody().getArgumentTypes(),
                        arguments))) // scan-c2
    return failure();
  TypeRange yielded = yieldedTypes(getBody());
  if (yielded.size() != getNumResults() || getNumResults() < getInitial().size()) // scan-c3
    return emitOpError("expected as many yielded values as results, got ") << yielded.size();
  if (failed(checkTypes(*this, "carried values", yielded.drop_front(getNumStacks()),
                        getInitial().getTypes()))) // scan-c3
    return failure();
  for (Type type : yielded.take_front(getNumStacks())) {
    SmallVector<DimExpr> dims = dimsOf(type);
    dims.insert(dims.begin(), getRounds());
    results.push_back(tensorType(cast<RankedTensorType>(type).getElementType(), dims));
  }
  llvm::append_range(results, getInitial().getTypes());
  return checkTypes(*this, "types of results", getResultTypes(), results); // scan-c4
}

namespace {
/// A carried value that no round changes is the initial one; what nobody reads is not stacked, and
/// a slice that no round reads is not taken.
struct DropUnneeded : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ScanOp op, PatternRewriter &rewriter) const override {
    unsigned sequences = op.getSequences().size(), stacks = op.getNumStacks();
    SmallVector<Value> taken, initial, yields;
    SmallVector<Type> types;
    llvm::BitVector arguments(op.getBody().getNumArguments()), results(op.getNumResults());
    for (unsigned i = 0; i < sequences; ++i) {
      bool last = taken.empty() && i + 1 == sequences; // it tells the rounds
      arguments[i] = op.getElements()[i].use_empty() && !last;
      if (!arguments[i])
        taken.push_back(op.getSequences()[i]);
    }
    for (unsigned i = 0; i < stacks; ++i)
      results[i] = op.getStacks()[i].use_empty();
    for (unsigned i = 0; i < op.getInitial().size(); ++i) {
      BlockArgument argument = op.getCarried()[i];
      bool unchanged = op.getNext()[i] == argument;
      bool unread = argument.use_empty() && op.getFinals()[i].use_empty();
      arguments[sequences + i] = results[stacks + i] = unchanged || unread;
      if (unchanged) {
        rewriter.replaceAllUsesWith(op.getFinals()[i], op.getInitial()[i]);
        rewriter.replaceAllUsesWith(argument, op.getInitial()[i]);
      }
      if (!results[stacks + i])
        initial.push_back(op.getInitial()[i]);
    }
    if (arguments.none() && results.none())
      return failure();
    Operation *end = op.getBody().front().getTerminator();
    for (unsigned i = 0; i < op.getNumResults(); ++i)
      if (!results[i]) {
        yields.push_back(end->getOperand(i));
        types.push_back(op.getResult(i).getType());
      }
    rewriter.modifyOpInPlace(end, [&] { end->setOperands(yields); });
    auto made = ScanOp::create(rewriter, op.getLoc(), types, taken, initial, op.getReverse(),
                               op.getOffsetsAttr());
    rewriter.inlineRegionBefore(op.getBody(), made.getBody(), made.getBody().end());
    made.getBody().front().eraseArguments(arguments);
    SmallVector<Value> replacements;
    for (unsigned i = 0, next = 0; i < results.size(); ++i)
      replacements.push_back(results[i] ? Value() : made.getResult(next++));
    rewriter.replaceOp(op, replacements);
    return success();
  }
};
} // namespace

void ScanOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnneeded>(context);
}

//===----------------------------------------------------------------------===//
// while, if
//===----------------------------------------------------------------------===//

SmallVector<Region *> WhileOp::getLoopRegions() { return {&getCondition(), &getBody()}; }

LogicalResult WhileOp::verify() {
  if (!isScalar(getLimit().getType(), DType::I64)) // while-c1
    return emitOpError("expected the limit to be an i64 without dimensions, got ")
           << typeText(getLimit().getType());
  TypeRange carried = getInitial().getTypes();
  for (Region *region : getLoopRegions())
    if (failed(checkTypes(*this, "arguments of a region", region->getArgumentTypes(),
                          carried))) // while-c2
      return failure();
  if (failed(checkTypes(*this, "types of results", getResultTypes(), carried))) // while-c2
    return failure();
  TypeRange decision = yieldedTypes(getCondition());
  if (decision.size() != 1 || !isScalar(decision[0], DType::Bool)) // while-c3
    return emitOpError("expected the condition to yield a bool without dimensions, got ")
           << listText(decision);
  return checkTypes(*this, "carried values", yieldedTypes(getBody()), carried); // while-c4
}

LogicalResult IfOp::verify() {
  if (!isScalar(getCondition().getType(), DType::Bool)) // if-c1
    return emitOpError("expected the condition to be a bool without dimensions, got ")
           << typeText(getCondition().getType());
  for (Region &region : getOperation()->getRegions())
    if (region.getNumArguments() ||
        failed(checkTypes(*this, "what a branch yields", yieldedTypes(region),
                          getResultTypes()))) // if-c2
      return failure();
  return success();
}

namespace {
/// A branch that is known at compile time, and results that nobody reads.
struct SimplifyIf : OpRewritePattern<IfOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(IfOp op, PatternRewriter &rewriter) const override {
    DenseElementsAttr known;
    if (matchPattern(op.getCondition(), m_Constant(&known))) {
      Region &taken = known.getValues<bool>()[0] ? op.getThenBody() : op.getElseBody();
      Operation *end = taken.front().getTerminator();
      SmallVector<Value> values(end->getOperands());
      rewriter.eraseOp(end);
      rewriter.inlineBlockBefore(&taken.front(), op);
      rewriter.replaceOp(op, values);
      return success();
    }
    SmallVector<unsigned> kept;
    for (auto [i, result] : llvm::enumerate(op.getResults()))
      if (!result.use_empty())
        kept.push_back(i);
    if (kept.size() == op.getNumResults())
      return failure();
    auto select = [&](auto range) {
      return llvm::map_to_vector(kept, [&](unsigned i) { return range[i]; });
    };
    auto made = IfOp::create(rewriter, op.getLoc(), select(op.getResultTypes()), op.getCondition(),
                             op.getOffsetsAttr());
    for (auto [from, to] :
         llvm::zip(op.getOperation()->getRegions(), made.getOperation()->getRegions())) {
      Operation *end = from.front().getTerminator();
      rewriter.modifyOpInPlace(end, [&] { end->setOperands(select(end->getOperands())); });
      rewriter.inlineRegionBefore(from, to, to.end());
    }
    SmallVector<Value> replacements(op.getNumResults());
    for (auto [i, result] : llvm::zip(kept, made.getResults()))
      replacements[i] = result;
    rewriter.replaceOp(op, replacements);
    return success();
  }
};
} // namespace

void IfOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<SimplifyIf>(context);
}

//===----------------------------------------------------------------------===//
// state
//===----------------------------------------------------------------------===//

LogicalResult StateOp::verify() {
  if (!cast<RankedTensorType>(getType()).hasStaticShape()) // state-c1
    return emitOpError("expected constant extents, got ") << typeText(getType());
  return success();
}

LogicalResult GetStateOp::verifySymbolUses(SymbolTableCollection &tables) {
  auto state = tables.lookupNearestSymbolFrom<StateOp>(*this, getStateAttr());
  if (!state || state.getType() != getType()) // getstate-c1
    return emitOpError("expected '")
           << getState() << "' to be a state of type " << typeText(getType());
  return success();
}

/// A state that keeps its value needs no writing.
LogicalResult SetStateOp::canonicalize(SetStateOp op, PatternRewriter &rewriter) {
  auto read = op.getValue().getDefiningOp<GetStateOp>();
  if (!read || read.getState() != op.getState())
    return failure();
  rewriter.eraseOp(op);
  return success();
}

LogicalResult SetStateOp::verifySymbolUses(SymbolTableCollection &tables) {
  auto state = tables.lookupNearestSymbolFrom<StateOp>(*this, getStateAttr());
  if (!state || state.getType() != getValue().getType()) // setstate-c1
    return emitOpError("expected '")
           << getState() << "' to be a state of type " << typeText(getValue().getType());
  if (!isa<FunctionOpInterface>((*this)->getParentOp())) // setstate-c2
    return emitOpError("expected to stand in the block of a function");
  for (auto other : (*this)->getBlock()->getOps<SetStateOp>())
    if (other != *this && other.getState() == getState()) // setstate-c2
      return emitOpError("sets '") << getState() << "' a second time";
  return success();
}
