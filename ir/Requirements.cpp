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
  return get(context, StringAttr::get(context, requirement.subject),
             DimsAttr::get(context, {requirement.got, requirement.expected}),
             StringAttr::get(context, signs[static_cast<int>(requirement.relation)]),
             LocationAttr(loc));
}

Requirement RequirementAttr::getRequirement() const {
  SmallVector<DimExpr> sides = getSides().getDims();
  sides.resize(2);
  StringRef sign = getRelation().getValue();
  Relation relation = sign == ">="   ? Relation::AtLeast
                      : sign == "<=" ? Relation::AtMost
                                     : Relation::Equal;
  return {sides[0], relation, sides[1], getSubject().str()};
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
      if (alone.judge(requirement) == Verdict::Refuted)
        return op->emitError(requirement.text()), WalkResult::interrupt();
      if (known.add(requirement) != Verdict::Proved)
        all.push_back(RequirementAttr::get(op->getLoc(), requirement));
    }
    return WalkResult::advance();
  });
  if (walked.wasInterrupted())
    return failure();
  setRequirements(function, all);
  return success();
}
