//===- TensorBuilder.cpp - ops with inferred types, checked ---------------===//
#include "ir/build/TensorBuilder.h"

#include "ir/Requirements.h"
#include "ir/Text.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ir;

Verdict DimScope::require(const Requirement &requirement, mlir::Location place,
                          mlir::Block *block) {
  Verdict verdict = kept.add(requirementWithin(requirement, block));
  if (verdict == Verdict::Unknown)
    places.push_back(place);
  return verdict;
}

void DimScope::declare(const std::string &dimension, const DimExpr &most) {
  kept.declare(dimension, most);
  declared[dimension] = {0, kept.boundsOf(most).upper};
}

void DimScope::attachTo(mlir::Operation *function) const {
  SmallVector<RequirementAttr> required;
  for (auto [requirement, place] : zip(kept.list(), places))
    required.push_back(RequirementAttr::get(place, requirement));
  setRequirements(function, required);
}

std::nullptr_t TensorBuilder::fail(BuildError kind, const Twine &message) {
  onError(kind, message.str());
  return nullptr;
}

bool TensorBuilder::require(const Requirement &requirement, BuildError kind) {
  if (scope.require(requirement, place, builder.getInsertionBlock()) != Verdict::Refuted)
    return true;
  fail(kind, requirement.text());
  return false;
}

mlir::Attribute TensorBuilder::dimsAttr(ArrayRef<DimExpr> dims) {
  return DimsAttr::get(builder.getContext(), dims);
}

mlir::Value TensorBuilder::create(StringRef name, mlir::ValueRange operands,
                                  mlir::NamedAttrList attributes) {
  auto op = mlir::RegisteredOperationName::lookup(("kiln." + name).str(), builder.getContext());
  mlir::Operation *made = create(*op, operands, std::move(attributes));
  return made ? made->getResult(0) : mlir::Value();
}

mlir::Value TensorBuilder::elementwise(StringRef name, ArrayRef<mlir::Value> operands) {
  SmallVector<mlir::Value> values(operands);
  return broadcastAll(values) ? create(name, values) : nullptr;
}

bool TensorBuilder::align(mlir::RegisteredOperationName op, SmallVectorImpl<mlir::Value> &operands,
                          mlir::DictionaryAttr attributes) {
  auto *aligning = op.getInterface<Aligning>();
  if (!aligning)
    return true;
  SmallVector<Dims> shapes =
      map_to_vector(operands, [](mlir::Value v) { return dimsOf(v.getType()); });
  bool ok = true;
  aligning->alignShapes(
      shapes, attributes, [&](const DimExpr &got, const DimExpr &expected, StringRef subject) {
        std::string what = inQuotes(op.stripDialect()) + ": " + subject.str();
        return ok = require({got, Relation::Equal, expected, what}, BuildError::Op);
      });
  for (auto [operand, shape] : zip(operands, shapes))
    if (ok && !(operand = reshape(operand, shape)))
      return false;
  return ok;
}

/// Reports what the op's own checks said.
std::nullptr_t TensorBuilder::refuse(mlir::RegisteredOperationName op, StringRef complaint) {
  std::string function = inQuotes(op.stripDialect());
  if (complaint.consume_front("'" + op.getStringRef().str() + "' op "))
    complaint = complaint.trim();
  if (complaint.empty())
    return fail(BuildError::Op, function + " does not accept these arguments");
  return fail(BuildError::Op,
              complaint.starts_with("'") ? complaint.str() : function + ": " + complaint.str());
}

namespace {
/// An op's properties as shape inference wants them: its own struct, filled from attributes.
class PropertyStorage {
public:
  explicit PropertyStorage(mlir::RegisteredOperationName op)
      : op(op), words(op.getOpPropertyByteSize() / sizeof(std::max_align_t) + 1) {
    if (get())
      op.initOpProperties(get(), mlir::OpaqueProperties(nullptr));
  }
  PropertyStorage(const PropertyStorage &) = delete;
  ~PropertyStorage() {
    if (get())
      op.destroyOpProperties(get());
  }
  /// Null for an op without.
  mlir::OpaqueProperties get() {
    return mlir::OpaqueProperties(op.getOpPropertyByteSize() ? words.data() : nullptr);
  }

private:
  mlir::RegisteredOperationName op;
  std::vector<std::max_align_t> words;
};
} // namespace

mlir::Operation *TensorBuilder::create(mlir::RegisteredOperationName op, mlir::ValueRange given,
                                       mlir::NamedAttrList attributes) {
  mlir::MLIRContext *context = builder.getContext();
  SmallVector<mlir::Value> operands(given);
  mlir::DictionaryAttr dictionary = attributes.getDictionary(context);
  if (!align(op, operands, dictionary))
    return nullptr;
  std::string message;
  mlir::ScopedDiagnosticHandler handler(context, [&](mlir::Diagnostic &diagnostic) {
    if (message.empty())
      message = diagnostic.str();
    return mlir::success();
  });
  PropertyStorage properties(op);
  auto emitError = [&] { return mlir::emitError(place); };
  SmallVector<mlir::Type> types;
  auto *inference = op.getInterface<mlir::InferTypeOpInterface>();
  if ((properties.get() &&
       failed(op.setOpPropertiesFromAttribute(op, properties.get(), dictionary, emitError))) ||
      !inference ||
      failed(inference->inferReturnTypes(context, place, operands, dictionary, properties.get(), {},
                                         types)))
    return refuse(op, message);
  mlir::OperationState state(place, op);
  state.addOperands(operands);
  state.addTypes(types);
  if (properties.get())
    state.propertiesAttr = dictionary;
  mlir::Operation *made = builder.create(state);
  if (failed(mlir::verify(made, /*verifyRecursively=*/false))) {
    made->erase();
    return refuse(op, message);
  }
  for (mlir::Type type : made->getResultTypes())
    if (!fitsMemory(*dtypeOf(type), dimsOf(type)))
      return fail(BuildError::Value, inQuotes(op.stripDialect()) +
                                         ": a tensor is expected to take less than 1 TiB, got " +
                                         typeText(type));
  for (const Requirement &requirement : requirementsOf(made))
    if (!require(requirement, BuildError::Op))
      return nullptr;
  return made;
}
