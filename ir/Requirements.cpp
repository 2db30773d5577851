//===- Requirements.cpp - requirements of ops and functions ---------------===//

#include "ir/Requirements.h"

#include "ir/KilnOps.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

static constexpr StringLiteral attributeName = "kiln.requires";

RequirementAttr RequirementAttr::get(Location loc, const Requirement &requirement) {
  static constexpr StringLiteral signs[] = {"==", ">=", "<="};
  MLIRContext *context = loc.getContext();
  SmallVector<DimExpr> sides = {requirement.got, requirement.expected};
  llvm::append_range(sides, requirement.when);
  return get(context, StringAttr::get(context, requirement.subject), DimsAttr::get(context, sides),
             StringAttr::get(context, signs[static_cast<int>(requirement.relation)]),
             LocationAttr(loc));
}

Requirement RequirementAttr::getRequirement() const {
  SmallVector<DimExpr> sides = getSides().getDims();
  std::vector<DimExpr> when(sides.begin() + 2, sides.end());
  StringRef sign = getRelation().getValue();
  Relation relation = sign == ">="   ? Relation::AtLeast
                      : sign == "<=" ? Relation::AtMost
                                     : Relation::Equal;
  return {sides[0], relation, sides[1], getSubject().str(), std::move(when)};
}

SmallVector<Requirement> ir::requirementsOf(Operation *op) {
  SmallVector<Requirement> all;
  if (auto requiring = dyn_cast<Requiring>(op))
    all = requiring.getRequirements();
  for (Type type : op->getResultTypes())
    for (auto [i, extent] : llvm::enumerate(dimsOf(type)))
      if (!extent.asSymbol())
        all.push_back(
            {extent, Relation::AtLeast, 0, "extent " + std::to_string(i) + " of the result"});
  std::string name = "'" + op->getName().stripDialect().str() + "': ";
  for (Requirement &requirement : all)
    requirement.subject = name + requirement.subject;
  return all;
}

namespace {
/// What is known where a branch is taken: none of `when` is negative. `isWhole` says that this is
/// all that decides.
struct Taken {
  std::vector<DimExpr> when;
  bool isWhole = true;
};
} // namespace

/// The scalar, if the call's dimensions alone tell it.
static std::optional<DimExpr> extentOf(Value value) {
  if (auto extent = value.getDefiningOp<ExtentOp>())
    return extent.getValue().getDims()[0];
  auto number = value.getDefiningOp<FullOp>();
  auto integer = number ? dyn_cast<IntegerAttr>(number.getValue()) : IntegerAttr();
  if (!integer || dtypeOf(value.getType()) != DType::I64)
    return std::nullopt;
  return DimExpr(integer.getInt());
}

/// a - b of a comparison `op`, as what is not negative where it holds.
static std::optional<std::vector<DimExpr>> whereHolds(Operation *op, bool holds) {
  if (!op || op->getNumOperands() != 2)
    return std::nullopt;
  std::optional<DimExpr> a = extentOf(op->getOperand(0)), b = extentOf(op->getOperand(1));
  if (!a || !b)
    return std::nullopt;
  DimExpr above = *a - *b, below = *b - *a, one(1);
  if (isa<GtOp>(op))
    return std::vector{holds ? above - one : below};
  if (isa<GeOp>(op))
    return std::vector{holds ? above : below - one};
  if (isa<LtOp>(op))
    return std::vector{holds ? below - one : above};
  if (isa<LeOp>(op))
    return std::vector{holds ? below : above - one};
  if (!isa<EqOp, NeOp>(op))
    return std::nullopt;
  if (isa<EqOp>(op) == holds)
    return std::vector{above, below};
  // Of a dimension and 0 one of the two never is positive.
  for (const DimExpr &side : {above, below})
    if (std::optional<int64_t> least = side.bounds({}).lower; least && *least >= 0)
      return std::vector{side - one};
  return std::vector{DimExpr::max(above, below) - one};
}

static DimExpr smallest(ArrayRef<DimExpr> exprs) {
  DimExpr result = exprs[0];
  for (const DimExpr &expr : exprs.drop_front())
    result = DimExpr::min(result, expr);
  return result;
}

/// Adds what follows from the condition's being `holds`.
static void take(Value condition, bool holds, Taken &into) {
  Operation *op = condition.getDefiningOp();
  if (isa_and_nonnull<NotOp>(op))
    return take(op->getOperand(0), !holds, into);
  if (isa_and_nonnull<LogicalAndOp, LogicalOrOp>(op)) {
    Taken sides[2];
    take(op->getOperand(0), holds, sides[0]);
    take(op->getOperand(1), holds, sides[1]);
    into.isWhole &= sides[0].isWhole && sides[1].isWhole;
    if (isa<LogicalAndOp>(op) == holds) {
      for (const Taken &side : sides)
        llvm::append_range(into.when, side.when);
    } else if (!sides[0].when.empty() && !sides[1].when.empty()) {
      into.when.push_back(DimExpr::max(smallest(sides[0].when), smallest(sides[1].when)));
    }
    return;
  }
  if (auto found = whereHolds(op, holds))
    llvm::append_range(into.when, *found);
  else
    into.isWhole = false;
}

Requirement ir::requirementWithin(Requirement requirement, Block *block) {
  Taken taken;
  for (Operation *op; block && (op = block->getParentOp()); block = op->getBlock()) {
    if (auto branch = dyn_cast<IfOp>(op))
      take(branch.getCondition(), block->getParent() == &branch.getThenBody(), taken);
    else if (auto scan = dyn_cast<ScanOp>(op))
      taken.when.push_back(scan.getRounds() - DimExpr(1));
  }
  for (DimExpr &condition : taken.when) {
    std::optional<int64_t> least = condition.bounds({}).lower;
    bool isNew = llvm::find(requirement.when, condition) == requirement.when.end();
    if (isNew && condition.isValid() && (!least || *least < 0))
      requirement.when.push_back(std::move(condition));
  }
  if (!taken.isWhole)
    requirement.subject += ", whatever branch values choose";
  return requirement;
}

bool ir::isNeeded(const Requirement &requirement, const Evaluation &evaluation) {
  return llvm::none_of(requirement.when, [&](const DimExpr &condition) {
    std::optional<int64_t> value = evaluation.tryValue(condition);
    return value && *value < 0;
  });
}

bool ir::isAlwaysDefined(Operation *op, const Requirements &known) {
  return !op->walk([&](Operation *inner) {
              bool isDefined = llvm::all_of(requirementsOf(inner), [&](const Requirement &each) {
                return known.judge(each) == Verdict::Proved;
              });
              return isDefined ? WalkResult::advance() : WalkResult::interrupt();
            }).wasInterrupted();
}

Requirements ir::knownOfCalls(FunctionOpInterface function) {
  Requirements known(declaredBounds(function));
  for (RequirementAttr attr : declaredRequirements(function))
    if (Requirement each = attr.getRequirement(); each.when.empty())
      known.add(std::move(each));
  return known;
}

SmallVector<RequirementAttr> ir::declaredRequirements(Operation *function) {
  SmallVector<RequirementAttr> all;
  if (auto list = function->getAttrOfType<ArrayAttr>(attributeName))
    llvm::append_range(all, list.getAsRange<RequirementAttr>());
  return all;
}

void ir::setRequirements(Operation *function, ArrayRef<RequirementAttr> requirements) {
  if (requirements.empty())
    function->removeAttr(attributeName);
  else
    function->setAttr(attributeName, ArrayAttr::get(function->getContext(),
                                                    SmallVector<Attribute>(requirements.begin(),
                                                                           requirements.end())));
}

LogicalResult ir::collectRequirements(Operation *function) {
  Requirements known(declaredBounds(function)), alone = known;
  SmallVector<RequirementAttr> all;
  for (RequirementAttr attr : declaredRequirements(function))
    if (known.add(attr.getRequirement()) != Verdict::Proved)
      all.push_back(attr);
  WalkResult walked = function->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (auto bind = dyn_cast<BindOp>(op))
      for (Requirements *each : {&known, &alone})
        each->declare(bind.getSymbol().str(), bind.getMost().getDims()[0]);
    for (const Requirement &requirement : requirementsOf(op)) {
      // What contradicts others, but not the bounds, is left for the call to refuse.
      Requirement here = requirementWithin(requirement, op->getBlock());
      if (alone.judge(here) == Verdict::Refuted)
        return op->emitError(requirement.text()), WalkResult::interrupt();
      if (known.add(here) != Verdict::Proved)
        all.push_back(RequirementAttr::get(op->getLoc(), here));
    }
    return WalkResult::advance();
  });
  if (walked.wasInterrupted())
    return failure();
  setRequirements(function, all);
  return success();
}
