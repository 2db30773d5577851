//===- Builder.cpp - walking a kernel's body -------------------------------===//

#include "codegen/lower/Builder.h"
#include "codegen/lower/Lower.h"

#include <limits>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::lower;
using namespace mlir;
using spec::ExprPtr;

//===----------------------------------------------------------------------===//
// Types, coordinates, numbers
//===----------------------------------------------------------------------===//

DType lower::computeType(DType type) {
  return isFloat(type) && byteSize(type) < 4 ? DType::F32 : type;
}

ExprPtr lower::narrow(const ExprPtr &value, DType storage) {
  if (value->type == storage)
    return value;
  if (value->op == spec::Op::Cast && value->args[0]->type == storage)
    return value->args[0]; // widened before, and not touched since
  return spec::cast(value, storage);
}

ExprPtr lower::widen(const ExprPtr &value) {
  DType type = computeType(value->type);
  return type == value->type ? value : spec::cast(value, type);
}

spec::Index lower::affine(std::vector<std::pair<int, int64_t>> terms, DimExpr offset) {
  llvm::sort(terms);
  spec::Index result;
  for (auto [dim, coefficient] : terms) {
    if (!result.terms.empty() && result.terms.back().first == dim)
      result.terms.back().second += coefficient;
    else
      result.terms.push_back({dim, coefficient});
  }
  llvm::erase_if(result.terms, [](auto term) { return term.second == 0; });
  result.offset = std::move(offset);
  return result;
}

spec::Index lower::scaled(const spec::Index &index, int64_t coefficient, const DimExpr &offset) {
  spec::Index result = index;
  for (auto &term : result.terms)
    term.second *= coefficient;
  result.offset = index.offset * DimExpr(coefficient) + offset;
  return result;
}

ExprPtr lower::valueOf(const spec::Index &index) {
  ExprPtr sum;
  auto add = [&](ExprPtr term) {
    sum = sum ? spec::apply(spec::Op::Add, {sum, std::move(term)}) : std::move(term);
  };
  if (index.indirect)
    add(index.indirect);
  for (auto [dim, coefficient] : index.terms) {
    ExprPtr term = spec::dim(dim);
    if (coefficient != 1)
      term = spec::apply(spec::Op::Mul, {term, spec::constant(coefficient, DType::I64)});
    add(term);
  }
  if (!sum || index.offset != DimExpr(0))
    add(number(index.offset, DType::I64));
  return sum;
}

At lower::identity(size_t rank) {
  At at;
  for (size_t i = 0; i < rank; ++i)
    at.push_back(spec::index(static_cast<int>(i)));
  return at;
}

ExprPtr lower::number(const DimExpr &value, DType type) {
  if (std::optional<int64_t> constant = value.constantValue())
    return spec::constant(*constant, type);
  ExprPtr extent = spec::extent(value);
  return type == DType::I64 ? extent : spec::cast(extent, type);
}

double lower::lowest(DType type) {
  if (isFloat(type))
    return -std::numeric_limits<double>::infinity();
  return type == DType::U8 ? 0 : -std::ldexp(1.0, static_cast<int>(8 * byteSize(type) - 1));
}

double lower::largest(DType type) {
  if (isFloat(type))
    return std::numeric_limits<double>::infinity();
  return type == DType::U8 ? 255 : std::ldexp(1.0, static_cast<int>(8 * byteSize(type) - 1)) - 1;
}

ExprPtr lower::saturated(double value, DType type) {
  return isFloat(type) ? spec::constant(value, type)
                       : spec::constant(truncateTo(type, value), type);
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

static int64_t alignmentOf(DictionaryAttr attrs, DType type) {
  auto align = attrs ? attrs.getAs<IntegerAttr>("kiln.align") : IntegerAttr();
  return align ? align.getInt() : byteSize(type);
}

static DictionaryAttr attrsAt(std::optional<ArrayAttr> all, unsigned i) {
  return all && i < all->size() ? dyn_cast<DictionaryAttr>((*all)[i]) : DictionaryAttr();
}

static spec::Operand denseOperand(std::string name, Type type, DictionaryAttr attrs,
                                  spec::Operand::Use use) {
  spec::Operand operand;
  operand.name = std::move(name);
  operand.type = *dtypeOf(type);
  operand.use = use;
  operand.alignment = alignmentOf(attrs, operand.type);
  SmallVector<DimExpr> dims = dimsOf(type);
  operand.shape.assign(dims.begin(), dims.end());
  operand.strides.assign(dims.size(), DimExpr(1));
  for (size_t i = dims.size(); i-- > 1;)
    operand.strides[i - 1] = operand.strides[i] * dims[i];
  return operand;
}

/// A packed weight's first users restore its logical shape (permute, reshape, slice); the last of
/// them is the value that the operand's coordinates mean.
void SpecBuilder::addPanel(BlockArgument argument, DenseI64ArrayAttr logical) {
  spec::Operand &operand = spec.operands.back();
  size_t rank = logical.size();
  operand.panel =
      spec::Panel{*operand.shape[rank].constantValue(),
                  operand.shape.size() > rank + 1 ? *operand.shape[rank + 1].constantValue() : 1};
  operand.strides.clear();
  operand.shape.assign(logical.asArrayRef().begin(), logical.asArrayRef().end());
  Value value = argument;
  SmallVector<DimExpr> wanted(operand.shape.begin(), operand.shape.end());
  while (dimsOf(value.getType()) != wanted && value.hasOneUse() &&
         (*value.user_begin())->getNumResults() == 1)
    value = (*value.user_begin())->getResult(0);
  sources[value] = {operand.name, operand.type};
}

void SpecBuilder::addOperands() {
  for (BlockArgument argument : kernel.getBody().getArguments()) {
    unsigned i = argument.getArgNumber();
    DictionaryAttr attrs = attrsAt(kernel.getArgAttrs(), i);
    std::string name = "in" + std::to_string(i);
    spec.operands.push_back(
        denseOperand(name, argument.getType(), attrs, spec::Operand::Use::Input));
    auto panel = attrs ? attrs.getAs<DenseI64ArrayAttr>("kiln.panel") : DenseI64ArrayAttr();
    if (panel)
      addPanel(argument, panel);
    else
      sources[argument] = {name, spec.operands.back().type};
  }
  for (auto [i, type] : llvm::enumerate(kernel.getResultTypes()))
    spec.operands.push_back(denseOperand("out" + std::to_string(i), type,
                                         attrsAt(kernel.getResAttrs(), i),
                                         spec::Operand::Use::Output));
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

/// Whether elements of the op's result are elements of its operands, or 0 or 1 or such with a sign.
static bool isAlwaysRounded(Operation *op) {
  auto fusable = dyn_cast_or_null<Fusable>(op);
  if (!fusable)
    return true;
  FusionRole role = fusable.getFusionRole();
  return role == FusionRole::Movement || role == FusionRole::Constant || role == FusionRole::View ||
         isa<NegOp, AbsOp, SignOp, ReluOp, MaximumOp, MinimumOp, WhereOp, MaxOp, MinOp, MaxPool2dOp,
             MaxPool3dOp, AdaptiveMaxPool2dOp, AdaptiveMaxPool3dOp>(op);
}

ExprPtr SpecBuilder::load(Value value, const At &at, std::optional<double> outside) {
  ExprPtr element = loadExact(value, at, outside);
  DType type = *dtypeOf(value.getType());
  auto source = sources.find(value);
  bool isRounded =
      source != sources.end() ? source->second.isRounded : isAlwaysRounded(value.getDefiningOp());
  if (element->type == type || isRounded)
    return element;
  bool wasNarrow = element->op == spec::Op::Cast && element->args[0]->type == type;
  return wasNarrow ? element : widen(narrow(element, type));
}

/// What the op computes, in the type of computing.
ExprPtr SpecBuilder::loadExact(Value value, const At &at, std::optional<double> outside) {
  auto source = sources.find(value);
  if (source != sources.end())
    return widen(spec::read(source->second.name, at, source->second.type, outside));
  auto known = derived.find(value);
  if (known != derived.end() && !outside)
    return known->second(at);
  Operation *op = value.getDefiningOp();
  auto fusable = dyn_cast_or_null<Fusable>(op);
  FusionRole role = fusable ? fusable.getFusionRole() : FusionRole::Opaque;
  if (role == FusionRole::Movement)
    if (ExprPtr element = loadMovement(*this, op, at, outside))
      return element;
  if (outside) {
    store(value);
    return load(value, at, outside);
  }
  ExprPtr element;
  if (role == FusionRole::Constant)
    element = loadConstant(op, at);
  else if (role == FusionRole::Pointwise)
    element = loadPointwise(*this, op, at);
  if (element)
    return element;
  unsupported = op ? op : kernel.getOperation();
  return spec::constant(int64_t(0), computeType(*dtypeOf(value.getType())));
}

ExprPtr SpecBuilder::readStage(const std::string &stage, At at) const {
  return spec::read(stage, std::move(at), spec.findStage(stage)->type);
}

std::string SpecBuilder::append(spec::Stage stage, bool isAnchor) {
  bool first = isAnchor && !hasAnchor;
  stage.role = first ? spec::Role::Anchor : hasAnchor ? spec::Role::Epilogue : spec::Role::Prologue;
  hasAnchor |= isAnchor;
  if (stage.name.empty())
    stage.name = "s" + std::to_string(spec.stages.size());
  spec.stages.push_back(std::move(stage));
  return spec.stages.back().name;
}

void SpecBuilder::appendAnchor(Operation *op, spec::Stage stage) {
  DType type = stage.type;
  sources[op->getResult(0)] = {append(std::move(stage), /*isAnchor=*/true), type,
                               /*isRounded=*/isAlwaysRounded(op)};
}

void SpecBuilder::store(Value value) {
  if (isStored(value))
    return;
  SmallVector<DimExpr> dims = dimsOf(value.getType());
  spec::Stage stage;
  stage.domain.assign(dims.begin(), dims.end());
  stage.body = load(value, identity(dims.size()));
  stage.type = stage.body->type;
  DType type = stage.type;
  sources[value] = {append(std::move(stage)), type};
}

//===----------------------------------------------------------------------===//
// The body
//===----------------------------------------------------------------------===//

/// Whether recomputing an op's result at each read costs no more than a load.
static bool isCheap(SpecBuilder &builder, Operation *op, FusionRole role) {
  return role == FusionRole::Constant ||
         (role == FusionRole::Movement && !isa<ConcatOp>(op) &&
          llvm::all_of(op->getOperands(), [&](Value v) { return builder.isStored(v); }));
}

bool SpecBuilder::lowerOp(Operation &op) {
  auto fusable = dyn_cast<Fusable>(op);
  if (!fusable)
    return false;
  FusionRole role = fusable.getFusionRole();
  switch (role) {
  case FusionRole::Contraction:
  case FusionRole::Convolution:
    return lowerContraction(*this, &op);
  case FusionRole::Window:
    return lowerPooling(*this, &op);
  case FusionRole::RowWise:
    return lowerReduction(*this, &op);
  case FusionRole::Pointwise:
  case FusionRole::Movement:
  case FusionRole::Constant:
    // Read where it is used; once computed if that is in several places.
    if (!op.getResult(0).use_empty() && !op.getResult(0).hasOneUse() && !isCheap(*this, &op, role))
      store(op.getResult(0));
    return true;
  case FusionRole::View:
    return isStored(op.getResult(0)) || llvm::any_of(sources, [&](auto &entry) {
             return entry.first.getDefiningOp() &&
                    llvm::is_contained(entry.first.getDefiningOp()->getOperands(), op.getResult(0));
           });
  case FusionRole::Procedure:
    return lowerProcedure(op);
  case FusionRole::Opaque:
    return false;
  }
  return false;
}

void SpecBuilder::rename(const std::string &from, const std::string &to) {
  for (spec::Stage &stage : spec.stages)
    if (stage.name == from)
      stage.name = to;
}

void SpecBuilder::addOutputs(ReturnOp op) {
  for (auto [i, value] : llvm::enumerate(op.getValues())) {
    std::string name = "out" + std::to_string(i);
    DType type = *dtypeOf(value.getType());
    auto source = sources.find(value);
    if (source != sources.end() && value.getDefiningOp() && value.hasOneUse() &&
        spec.findStage(source->second.name) && source->second.type == type) {
      rename(source->second.name, name); // no stage reads it: the return is its only use
      continue;
    }
    SmallVector<DimExpr> dims = dimsOf(value.getType());
    spec::Stage stage;
    stage.name = name;
    stage.type = type;
    stage.domain.assign(dims.begin(), dims.end());
    stage.body = narrow(load(value, identity(dims.size())), type);
    append(std::move(stage));
    spec.stages.back().role = spec::Role::Epilogue;
  }
}

FailureOr<spec::KernelSpec> SpecBuilder::run() {
  for (auto &[name, bounds] : declaredBounds(kernel))
    spec.symbols.push_back({name, bounds.lower.value_or(0), bounds.upper});
  addOperands();
  for (Operation &op : kernel.getBody().front()) {
    if (auto result = dyn_cast<ReturnOp>(op)) {
      if (!spec.procedure)
        addOutputs(result);
    } else if (!lowerOp(op))
      unsupported = &op;
    if (unsupported)
      return unsupported->emitError("'")
             << unsupported->getName().getStringRef() << "' cannot be computed within a kernel";
  }
  if (auto name = kernel->getAttrOfType<StringAttr>("kiln.template"))
    spec.schedule.templateName = name.str();
  if (auto tile = kernel->getAttrOfType<DictionaryAttr>("kiln.tile"))
    for (NamedAttribute entry : tile)
      spec.schedule.parameters[entry.getName().str()] =
          cast<IntegerAttr>(entry.getValue()).getInt();
  std::string wrong = spec::verify(spec);
  if (!wrong.empty())
    return kernel.emitError("lowering made a spec that is not well formed: ") << wrong;
  return std::move(spec);
}

/// The text names equal nodes once. The spec that is generated from has them once too: code depends
/// on what is shared, and kernels are told apart, cached and checked by their text.
FailureOr<spec::KernelSpec> lower::lowerKernel(KernelOp kernel) {
  FailureOr<spec::KernelSpec> built = SpecBuilder(kernel).run();
  if (failed(built))
    return failure();
  std::string error;
  std::optional<spec::KernelSpec> shared = spec::parse(spec::print(*built), error);
  if (!shared)
    return kernel.emitError("internal: the kernel's text cannot be read: ") << error, failure();
  return std::move(*shared);
}
